//! Damaged and hostile files: each is refused with an error that names the file and the reason.

use super::super::{ChatMessage, Engine, EngineOptions, Prompt, Request, RequestError, Session, SessionOptions};
use super::fixture;
use crate::types::SplitMix64;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tempfile::TempDir;

/// A copy of a fixture that may be damaged.
fn copy() -> TempDir {
    let to = tempfile::tempdir().unwrap();
    std::fs::create_dir(to.path().join("adapter")).unwrap();
    for folder in [".", "adapter"] {
        for entry in std::fs::read_dir(fixture("llama3").join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), to.path().join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
    to
}

fn message(dir: &Path) -> String {
    let loaded = Engine::load(dir, &EngineOptions::default());
    match loaded.and_then(|mut e| e.load_adapter(&dir.join("adapter"))) {
        Ok(_) => "loaded".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn expect(dir: &TempDir, file: &str, expected: &str) {
    let message = message(dir.path());
    let path = dir.path().join(file).display().to_string();
    assert!(message.starts_with(&path) && message.contains(expected), "{message}\nshould name {file} and {expected}");
}

/// Changes a JSON file's value at a key.
fn set(dir: &TempDir, file: &str, key: &str, value: serde_json::Value) {
    let path = dir.path().join(file);
    let mut object: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    object[key] = value;
    std::fs::write(path, object.to_string()).unwrap();
}

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// Rewrites a weight file as a sound container with other contents.
fn rewrite(dir: &TempDir, file: &str, change: impl FnOnce(&mut Tensors)) {
    let path = dir.path().join(file);
    let bytes = std::fs::read(&path).unwrap();
    let mut tensors: Tensors = SafeTensors::deserialize(&bytes)
        .unwrap()
        .iter()
        .map(|(name, t)| (name.to_owned(), (t.dtype(), t.shape().to_vec(), t.data().to_vec())))
        .collect();
    change(&mut tensors);
    let views = tensors.iter().map(|(n, (d, s, b))| (n.as_str(), TensorView::new(*d, s.clone(), b).unwrap()));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

const WEIGHTS: &str = "model.safetensors";
const ADAPTER: &str = "adapter/adapter_model.safetensors";
const SETTINGS: &str = "adapter/adapter_config.json";
const NORM: &str = "model.layers.1.input_layernorm.weight";
const A: &str = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";

#[test]
fn an_undamaged_copy_loads_and_its_digests_are_those_of_the_content() {
    let dir = copy();
    assert_eq!(message(dir.path()), "loaded");
    let digests = |path: &Path| {
        let mut engine = Engine::load(path, &EngineOptions::default()).unwrap();
        let adapter = engine.load_adapter(&path.join("adapter")).unwrap();
        (engine.weights_digest(), engine.adapter_digest(adapter).unwrap())
    };
    let (base, adapter) = digests(dir.path());
    assert_eq!(digests(&fixture("llama3")), (base, adapter));
    rewrite(&dir, WEIGHTS, |t| t.get_mut(NORM).unwrap().2[0] ^= 1);
    let changed = digests(dir.path());
    assert!(changed.0 != base && changed.1 == adapter);
}

#[test]
fn containers_that_lie() {
    let bytes = std::fs::read(fixture("llama3").join(WEIGHTS)).unwrap();
    let header = |text: &str, data: usize| {
        let mut file = (text.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(text.as_bytes());
        file.resize(file.len() + data, 0);
        file
    };
    for file in [WEIGHTS, ADAPTER] {
        for (content, expected) in [
            (Vec::new(), "it is empty"),
            (bytes[..7].to_vec(), "7 bytes, fewer than its header's length takes"),
            (u64::MAX.to_le_bytes().to_vec(), "claims 18446744073709551615 bytes"),
            (header("{", 8)[..9].iter().chain(&[0; 8]).copied().collect(), "not a sound safetensors file"),
            ([&5000u64.to_le_bytes()[..], b"{}"].concat(), "invalid header length"),
            (bytes[..bytes.len() - 1].to_vec(), "not a sound safetensors file"),
            ([&bytes[..], b"x"].concat(), "not a sound safetensors file"),
            (header("{}", 0), "it holds no tensors"),
            (header(r#"{"a":{"dtype":"F32","shape":[4611686018427387904,8],"data_offsets":[0,8]}}"#, 8), "overflow"),
            (header(r#"{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,8]}}"#, 8), "not a sound safetensors file"),
            (header(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, 8), "not a sound safetensors file"),
            (header(r#"{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#, 0), "tensor \"a\" is empty"),
            (
                header(
                    r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#,
                    16,
                ),
                "not a sound safetensors file",
            ),
            (header(r#"{"a":{"dtype":"Q4_0","shape":[2],"data_offsets":[0,8]}}"#, 8), "JSON"),
            (header(&format!("{}1", "[".repeat(100_000)), 0), "JSON"),
            (b"PK\x03\x04 not weights at all".to_vec(), "header claims"),
        ] {
            let dir = copy();
            std::fs::write(dir.path().join(file), content).unwrap();
            expect(&dir, file, expected);
        }
    }
}

#[test]
fn tensors_that_do_not_fit() {
    type Change = Box<dyn FnOnce(&mut Tensors)>;
    let remove = |name: &'static str| -> Change { Box::new(move |t| drop(t.remove(name))) };
    let edit = |name: &'static str, f: fn(&mut (Dtype, Vec<usize>, Vec<u8>))| -> Change {
        Box::new(move |t| f(t.get_mut(name).unwrap()))
    };
    let cases: Vec<(&str, Change, &str)> = vec![
        (WEIGHTS, remove(NORM), "tensor `model.layers.1.input_layernorm.weight` is missing"),
        (WEIGHTS, remove("lm_head.weight"), "tensor `lm_head.weight` is missing"),
        (WEIGHTS, edit(NORM, |t| t.1 = vec![2, 16]), "has shape [2, 16], expected [32]"),
        (WEIGHTS, edit(NORM, |t| t.0 = Dtype::I16), "input_layernorm.weight` is I16; supported are"),
        (WEIGHTS, edit(NORM, |t| t.2[..2].copy_from_slice(&[0xc0, 0x7f])), "is not finite"),
        (WEIGHTS, edit(NORM, |t| t.2[..2].copy_from_slice(&[0x80, 0xff])), "is not finite"),
        (
            WEIGHTS,
            Box::new(|t| drop(t.insert("model.layers.0.self_attn.q_norm.weight".into(), t[NORM].clone()))),
            "tensor `model.layers.0.self_attn.q_norm.weight` has no place in this model",
        ),
        (ADAPTER, remove(A), "layers.0.self_attn.q_proj.lora_A.weight` is missing"),
        (ADAPTER, edit(A, |t| t.1.reverse()), "has shape [32, 4], expected [4, 32]"),
        (ADAPTER, edit(A, |t| t.2[1] = 0x7f), "is not finite"),
        (
            ADAPTER,
            Box::new(|t| drop(t.insert("base_model.model.lm_head.lora_A.weight".into(), t[A].clone()))),
            "tensor `base_model.model.lm_head.lora_A.weight` has no place",
        ),
    ];
    for (file, change, expected) in cases {
        let dir = copy();
        rewrite(&dir, file, change);
        expect(&dir, file, expected);
    }
}

#[test]
fn configurations_that_do_not_fit() {
    use serde_json::json;
    for (file, key, value, expected, named) in [
        ("config.json", "hidden_size", json!(1 << 24), "expected [362, 16777216]", WEIGHTS),
        (
            "config.json",
            "num_hidden_layers",
            json!(16_000_000),
            "`model.layers.2.input_layernorm.weight` is missing",
            WEIGHTS,
        ),
        ("config.json", "num_hidden_layers", json!(1), "`model.layers.1.", WEIGHTS),
        ("config.json", "vocab_size", json!(1e30), "expected an integer", "config.json"),
        ("config.json", "vocab_size", json!(100), "token id", "tokenizer.json"),
        ("config.json", "head_dim", json!(-8), "expected an integer", "config.json"),
        ("config.json", "num_attention_heads", json!("4"), "expected an integer", "config.json"),
        ("config.json", "model_type", json!("qwen3"), "the architecture", "config.json"),
        (
            "config.json",
            "quantization_config",
            json!({"quant_method": "awq"}),
            "quantization_config (\"awq\")",
            "config.json",
        ),
        ("config.json", "tie_word_embeddings", json!(true), "`lm_head.weight` has no place", WEIGHTS),
        ("config.json", "attention_bias", json!(true), "q_proj.bias` is missing", WEIGHTS),
        ("generation_config.json", "eos_token_id", json!([5, 400]), "expected ids below", "generation_config.json"),
        (SETTINGS, "r", json!(0), "`r` is 0", SETTINGS),
        (SETTINGS, "r", json!(8), "expected [8, 32]", ADAPTER),
        (SETTINGS, "lora_alpha", json!(0), "`lora_alpha` is 0", SETTINGS),
        (SETTINGS, "use_dora", json!(true), "\"use_dora\" = true is not supported", SETTINGS),
        (
            SETTINGS,
            "modules_to_save",
            json!(["lm_head"]),
            "\"modules_to_save\" = [\"lm_head\"] is not supported",
            SETTINGS,
        ),
        (SETTINGS, "bias", json!("all"), "bias \"all\" is not supported", SETTINGS),
        (SETTINGS, "peft_type", json!("IA3"), "IA3", SETTINGS),
        (SETTINGS, "init_lora_weights", json!("pissa"), "init_lora_weights \"pissa\"", SETTINGS),
        (SETTINGS, "some_new_feature", json!(3), "\"some_new_feature\" = 3 is not supported", SETTINGS),
        (SETTINGS, "target_modules", json!(["q_proj", "embed_tokens"]), "target module \"embed_tokens\"", SETTINGS),
        (SETTINGS, "target_modules", json!(["q_proj"]), "has no place in this model", ADAPTER),
        (SETTINGS, "target_modules", json!("(?<=x)y"), "cannot be read", SETTINGS),
        (SETTINGS, "layers_to_transform", json!([9]), "expected layers below 2", SETTINGS),
        (SETTINGS, "rank_pattern", json!({"q_proj": 0}), "model.layers.0.self_attn.q_proj`: its rank is 0", SETTINGS),
        (SETTINGS, "rank_pattern", json!({"q_proj": 4, ".*q_proj": 5}), "several entries of rank_pattern", SETTINGS),
        (SETTINGS, "alpha_pattern", json!({"q_proj": -1}), "its alpha is -1", SETTINGS),
    ] {
        let dir = copy();
        set(&dir, file, key, value);
        expect(&dir, named, expected);
    }
}

#[test]
fn other_files_that_are_damaged_or_absent() {
    let deep = format!("{}1", "[".repeat(1_000_000)).into_bytes();
    for (file, content, expected) in [
        ("config.json", None, "not found"),
        ("config.json", Some(b"{\"model_type\": ".to_vec()), "not valid"),
        ("config.json", Some(deep.clone()), "not valid"),
        ("config.json", Some(b"[]".to_vec()), "not valid"),
        ("config.json", Some(vec![b' '; (4 << 20) + 1]), "4194305 bytes, more than"),
        (WEIGHTS, None, "safetensors format only"),
        ("tokenizer.json", None, "not found"),
        ("tokenizer.json", Some(b"{}".to_vec()), "not a usable tokenizer"),
        ("tokenizer.json", Some(deep), "not a usable tokenizer"),
        ("tokenizer.json", Some(b"\xff\xfe".to_vec()), "not a usable tokenizer"),
        ("chat_template.jinja", Some(b"{% for".to_vec()), "not a usable chat template"),
        ("chat_template.jinja", Some(b"\xff".to_vec()), "it is not UTF-8"),
        ("tokenizer_config.json", Some(b"nonsense".to_vec()), "not valid"),
        (SETTINGS, None, "a PEFT adapter has"),
        (SETTINGS, Some(b"{}".to_vec()), "peft_type None"),
        (ADAPTER, None, "not found"),
    ] {
        let dir = copy();
        let path = dir.path().join(file);
        match content {
            Some(content) => std::fs::write(path, content).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        expect(&dir, file, expected);
    }
    let dir = copy();
    std::fs::remove_file(dir.path().join(WEIGHTS)).unwrap();
    std::fs::create_dir(dir.path().join(WEIGHTS)).unwrap();
    expect(&dir, WEIGHTS, "not found");
}

#[test]
fn a_model_that_overflows_ends_in_an_error_of_the_request() {
    let dir = copy();
    // The largest finite bf16.
    let huge = [0x7f, 0x7f].repeat(32);
    rewrite(&dir, WEIGHTS, |t| t.get_mut("model.norm.weight").unwrap().2 = huge);
    let engine = Engine::load(dir.path(), &EngineOptions::default()).unwrap();
    let mut session = Session::new(Arc::new(engine), SessionOptions::default());
    for tag in 0..2 {
        let (prompt, submitted) = (Prompt::Ids(vec![1, 2, 3]), Instant::now());
        session.submit(Request { prompt, adapter: None, max_new_tokens: 4, submitted, tag }).unwrap();
    }
    let finished = session.run();
    assert_eq!(finished.len(), 2);
    assert!(finished.iter().all(|f| f.outcome == Err(RequestError::NotFinite { position: 2 })));
    assert!(session.is_idle());
}

/// Bytes flipped, cut out and doubled at random: whatever comes of it, it is an answer or an error.
#[test]
fn files_damaged_at_random_never_panic() {
    let mut rng = SplitMix64::new(4);
    let files = ["config.json", "tokenizer.json", "chat_template.jinja", WEIGHTS, SETTINGS, ADAPTER];
    let dir = copy();
    let mut loaded = 0;
    for round in 0..120 {
        let path = dir.path().join(files[round % files.len()]);
        let sound = std::fs::read(&path).unwrap();
        let mut bytes = sound.clone();
        // Damage near the start hits headers and keys, elsewhere mostly numbers.
        let reach = if rng.index(2) == 0 { bytes.len().min(300) } else { bytes.len() };
        let at = rng.index(reach);
        match rng.index(4) {
            0 => bytes[at] = rng.index(256) as u8,
            1 => bytes[at] ^= 1 << rng.index(8),
            2 => drop(bytes.drain(at..bytes.len().min(at + 1 + rng.index(8)))),
            _ => bytes.insert(at, bytes[at]),
        }
        std::fs::write(&path, bytes).unwrap();
        if let Ok(mut engine) = Engine::load(dir.path(), &EngineOptions::default()) {
            let adapter = engine.load_adapter(&dir.path().join("adapter")).ok();
            let message = ChatMessage { role: "user".to_owned(), content: "part 7?".to_owned() };
            let prompt = Prompt::Messages(vec![message]);
            let mut session = Session::new(Arc::new(engine), SessionOptions::default());
            let request = Request { prompt, adapter, max_new_tokens: 2, submitted: Instant::now(), tag: 0 };
            loaded += usize::from(session.submit(request).is_ok() && session.run().len() == 1);
        }
        std::fs::write(path, sound).unwrap();
    }
    assert!((10..110).contains(&loaded), "{loaded} of 120 could still be asked");
}

#[test]
fn weights_in_parts_are_one_model_and_a_bad_index_is_refused() {
    let split = || {
        let dir = copy();
        let bytes = std::fs::read(dir.path().join(WEIGHTS)).unwrap();
        let whole = SafeTensors::deserialize(&bytes).unwrap();
        let mut map = BTreeMap::new();
        for part in 0..2 {
            let name = format!("model-{part}.safetensors");
            let own: Vec<_> = whole.iter().filter(|(n, _)| n.contains("layers.0") == (part == 0)).collect();
            map.extend(own.iter().map(|(n, _)| ((*n).to_owned(), name.clone())));
            std::fs::write(dir.path().join(&name), safetensors::serialize(own, None).unwrap()).unwrap();
        }
        std::fs::remove_file(dir.path().join(WEIGHTS)).unwrap();
        let index = "model.safetensors.index.json";
        std::fs::write(dir.path().join(index), serde_json::json!({ "weight_map": map }).to_string()).unwrap();
        (dir, index)
    };
    assert_eq!(message(split().0.path()), "loaded");
    for (map, named, expected) in [
        (serde_json::json!({"x": "../secret.safetensors"}), "model.safetensors.index.json", "beside it"),
        (serde_json::json!({}), "model.safetensors.index.json", "is empty"),
        (serde_json::json!({"x": "model-0.safetensors"}), "model-0.safetensors", "tensor `x` is missing"),
        (serde_json::json!({"x": "model-7.safetensors"}), "model-7.safetensors", "not found"),
    ] {
        let (dir, index) = split();
        set(&dir, index, "weight_map", map);
        expect(&dir, named, expected);
    }
}
