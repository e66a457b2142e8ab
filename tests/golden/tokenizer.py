#!/usr/bin/env python3
"""tokenizer.json: the 13 prompts of the method and 1000 further strings with the ids of CLIP's own tokenizer.

    pip install open-clip-torch && python3 tokenizer.py

open_clip carries an unchanged copy of openai/CLIP's tokenizer (MIT). Strings that its clean-up library ftfy would rewrite
(wrongly decoded text) are not drawn: repairing encodings is the caller's affair.
"""
import html, json, os, random
import ftfy
from open_clip.tokenizer import SimpleTokenizer

PROMPTS = [f"a nodule image of {c}." for c in ("benign", "unsure", "malignant")] + [f"the nodule is {a}." for a in (
    "subtlety", "internalstructure", "internal structure", "calcification", "sphericity", "margin", "lobulation",
    "spiculation", "texture", "malignancy")]
WORDS = """nodule lung spiculated lobulated margin ground-glass solid part-solid 6 mm 12.5mm calcified popcorn benign
malignant unsure upper lobe left right CT HU -600 texture rating 3/5 it's don't we're they've I'm she'll he'd scan
Hamartoma ADENOCARCINOMA Pleura tag; (sub-pleural) [2023] 50% <3mm >=8mm a&b naïve Röntgen Ångström café Ωmega 肺 結節 肺结节
легкое узел ελληνικά العربية हिन्दी 🫁 🙂 ½ ² № … – — “quoted” ‘single’ #tag @site e.g. i.e. T1N0M0 x/y/z C3D""".split()

if __name__ == "__main__":
    r = random.Random(2023)
    tok, texts = SimpleTokenizer(), list(PROMPTS)
    while len(texts) < 1013:
        kind = r.random()
        if kind < 0.6:
            t = r.choice([" ", "  ", " ", "\n", "\t"]).join(r.choice(WORDS) for _ in range(r.randint(1, 14)))
        elif kind < 0.8:
            t = "".join(chr(r.randint(33, 126)) for _ in range(r.randint(1, 40)))
        elif kind < 0.9:
            t = "".join(r.choice("abcdefghijklmnopqrstuvwxyz'  0123456789.-") for _ in range(r.randint(1, 60)))
        else:
            t = " ".join(r.choice(WORDS) for _ in range(r.randint(60, 120)))
        if t.strip() and ftfy.fix_text(t) == t and html.unescape(t) == t and t not in texts and "<|" not in t:
            texts.append(t)
    out = []
    for t in texts:
        ids = [tok.sot_token_id] + tok.encode(t)
        out.append([t, ids[:76] + [tok.eot_token_id]])
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tokenizer.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(out, f, ensure_ascii=False, separators=(",", ":"))
