/** What a model learned from and what it is for, in the command line's words. */

/** The part of a model's `config.json` that says so. */
export interface Origin {
  method: string;
  task: string;
  metadata: { training_data: string; synthetic: boolean };
}

/** What the model learned from, in plain words: the data without their digest, and whether they were CT at all. */
export const trainedOn = ({ metadata: { synthetic, training_data } }: Origin) =>
  `trained on ${synthetic ? 'synthetic drawings, not on CT' : 'real CT'}: ${training_data.split(' (sha256 ')[0]}`;

/** What the model is, what it learned from and what it is for, in one sentence: it stands wherever an answer does. */
export const about = (info: Origin) => `${info.method} on ${info.task}, ${trainedOn(info)}; research use only, not a medical device`;
