export class Net {
  readonly placeholder = true;
}
