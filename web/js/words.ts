/** The words that radiologists use of a nodule: whether a model's closeness to them means anything, and how it stands to the average's. */
export const ATTRIBUTES = [
  'subtlety', 'internal structure', 'calcification', 'sphericity', 'margin', 'lobulation', 'spiculation', 'texture',
] as const;

export type Attribute = (typeof ATTRIBUTES)[number];

/** What is used of a model's `info`. */
interface Described {
  metadata: { text_encoder: string; attribute_means?: Partial<Record<Attribute, number>> };
}

/** Whether the text encoder of its training ever learned what words mean: those that did not say so in their name. */
export const knowsWords = ({ metadata: { text_encoder: encoder } }: Described) => encoder !== 'none' && !/not pretrained/.test(encoder);

/** How far each word's score is above or below the average nodule's, as a share of it; where the model has no averages, the average word's. */
export const againstAverage = ({ metadata: { attribute_means: means } }: Described, scores: Record<Attribute, number>) =>
  ATTRIBUTES.map((name) => [name, scores[name] / (means?.[name] ?? 1 / ATTRIBUTES.length) - 1] as const);
