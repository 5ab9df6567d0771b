// SIGPIPE for a write to something that nobody reads any more (send_sig(SIGPIPE, current, 0)).
export { raiseSigpipe } from './signals.ts';
