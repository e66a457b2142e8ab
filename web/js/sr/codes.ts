/** The codes of a structured report, each as value, scheme and meaning (docs/dicom-sr.md). What stands between the braces is JSON: the
 * command line reads this very file. */
export const CODES = {
  "report": ["126000", "DCM", "Imaging Measurement Report"],
  "language": ["121049", "DCM", "Language of Content Item and Descendants"],
  "english": ["en-US", "RFC5646", "English (United States)"],
  "observer_type": ["121005", "DCM", "Observer Type"],
  "device": ["121007", "DCM", "Device"],
  "device_uid": ["121012", "DCM", "Device Observer UID"],
  "device_name": ["121013", "DCM", "Device Observer Name"],
  "procedure": ["121058", "DCM", "Procedure reported"],
  "ct_chest": ["24627-2", "LN", "CT Chest"],
  "library": ["111028", "DCM", "Image Library"],
  "library_group": ["126200", "DCM", "Image Library Group"],
  "modality": ["121139", "DCM", "Modality"],
  "ct": ["CT", "DCM", "Computed Tomography"],
  "frame_of_reference": ["112227", "DCM", "Frame of Reference UID"],
  "measurements": ["126010", "DCM", "Imaging Measurements"],
  "group": ["125007", "DCM", "Measurement Group"],
  "tracking_identifier": ["112039", "DCM", "Tracking Identifier"],
  "tracking_uid": ["112040", "DCM", "Tracking Unique Identifier"],
  "finding": ["121071", "DCM", "Finding"],
  "nodule": ["27925004", "SCT", "Nodule"],
  "finding_site": ["363698007", "SCT", "Finding Site"],
  "lung": ["39607008", "SCT", "Lung"],
  "algorithm_name": ["111001", "DCM", "Algorithm Name"],
  "algorithm_version": ["111003", "DCM", "Algorithm Version"],
  "algorithm_parameters": ["111002", "DCM", "Algorithm Parameters"],
  "region": ["111030", "DCM", "Image Region"],
  "diameter": ["81827009", "SCT", "Diameter"],
  "mm": ["mm", "UCUM", "millimeter"],
  "no_unit": ["1", "UCUM", "no units"],
  "comment": ["121106", "DCM", "Comment"],
  "intended_use": ["INTENDED-USE", "99CLIPLUNG", "Intended use"],
  "research": ["RESEARCH", "99CLIPLUNG", "Research use only, not a medical device"],
  "class": ["CLASS", "99CLIPLUNG", "Class of malignancy decided on"],
  "open": ["OPEN", "99CLIPLUNG", "Class that the answer leaves open"],
  "classes": {
    "benign": ["BENIGN", "99CLIPLUNG", "Rated benign"],
    "unsure": ["UNSURE", "99CLIPLUNG", "Rated unsure"],
    "malignant": ["MALIGNANT", "99CLIPLUNG", "Rated malignant"]
  },
  "probabilities": {
    "benign": ["P-BENIGN", "99CLIPLUNG", "Probability of the class benign"],
    "unsure": ["P-UNSURE", "99CLIPLUNG", "Probability of the class unsure"],
    "malignant": ["P-MALIGNANT", "99CLIPLUNG", "Probability of the class malignant"]
  },
  "attributes": [
    ["A-SUBTLETY", "99CLIPLUNG", "Attribute score, subtlety"],
    ["A-INTERNAL", "99CLIPLUNG", "Attribute score, internal structure"],
    ["A-CALCIFICATION", "99CLIPLUNG", "Attribute score, calcification"],
    ["A-SPHERICITY", "99CLIPLUNG", "Attribute score, sphericity"],
    ["A-MARGIN", "99CLIPLUNG", "Attribute score, margin"],
    ["A-LOBULATION", "99CLIPLUNG", "Attribute score, lobulation"],
    ["A-SPICULATION", "99CLIPLUNG", "Attribute score, spiculation"],
    ["A-TEXTURE", "99CLIPLUNG", "Attribute score, texture"]
  ]
} as const;
