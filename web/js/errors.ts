/** What can go wrong, by `code`; `message` says what, where and what to do. */
export type ErrorCode =
  /** a file could not be fetched */
  | 'fetch'
  /** the model's files are damaged, incomplete or of another kind */
  | 'model'
  /** the input is not a crop or a volume, or a number in it is not finite */
  | 'input'
  /** this browser can't run the asked-for device */
  | 'device'
  /** the caller's signal ended it */
  | 'aborted'
  /** the object was disposed */
  | 'disposed';

export class ClipLungError extends Error {
  constructor(readonly code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ClipLungError';
  }
}
