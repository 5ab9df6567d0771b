// What the readers of the several formats find, in one shape: which document configures the image and where its layers
// lie.
import type { Candidate, Wanted } from './choose.ts';
import type { ConfigDocument } from './config.ts';
import type { Budget } from './limits.ts';
import type { Note } from './merge.ts';
import type { Store } from './store.ts';

export interface LayerSource {
  /** In the store. */
  readonly path: string;
  /** As the descriptor states it; absent where nothing does. */
  readonly digest?: string | undefined;
  readonly size?: number | undefined;
  /** Empty where nothing states it. */
  readonly mediaType: string;
}

export interface ImageSource extends Candidate {
  readonly manifestDigest?: string | undefined;
  readonly configDigest: string;
  readonly document: ConfigDocument;
  readonly layers: readonly LayerSource[];
  /** Set where the format has no digests of layers. */
  readonly unverified?: boolean;
}

export interface SourceContext {
  readonly store: Store;
  readonly budget: Budget;
  readonly wanted: Wanted;
  readonly note: Note;
}
