//! Low-rank adapters as PEFT writes them, kept apart from the weights: `y = xWᵀ + s · (xAᵀ)Bᵀ`.
//!
//! What an adapter's configuration asks for beyond that is refused by name. A key of a later PEFT that this file does not know
//! is refused too, unless its value is one that says "not used".

use super::checkpoint::Tensors;
use super::config::ModelConfig;
use super::error::EngineError;
use super::files::{FileDigests, Object, SMALL_FILE, brief, positive, read};
use super::kernel::Packed;
use super::weights::{GROUPS, Module};
use regex::Regex;
use serde_json::Value;
use std::path::Path;

/// The changes to one group of modules.
pub(super) struct LoraGroup {
    /// The `A` matrices of all parts below one another, so that the shared input is read once.
    pub(super) down: Packed,
    pub(super) parts: Vec<LoraPart>,
}

/// The change to one module.
pub(super) struct LoraPart {
    /// Where this part's `A` begins among the outputs of [`LoraGroup::down`].
    pub(super) offset: usize,
    /// The module's first column in its group's product.
    pub(super) column: usize,
    /// `B`.
    pub(super) up: Packed,
    pub(super) scale: f32,
}

/// An adapter that fits a model.
pub(super) struct Adapter {
    /// For each layer, in the order of [`GROUPS`].
    pub(super) layers: Vec<[Option<LoraGroup>; 4]>,
    pub(super) digest: [u8; 32],
}

impl Adapter {
    pub(super) fn load(dir: &Path, model: &ModelConfig) -> Result<Self, EngineError> {
        let mut digests = FileDigests::default();
        let path = dir.join("adapter_config.json");
        let bytes = read(&path, SMALL_FILE, "a PEFT adapter has adapter_config.json and adapter_model.safetensors")?;
        digests.add("adapter_config.json", &bytes);
        let settings = Settings::new(Object::parse(&path, &bytes)?, model)?;
        let mut tensors = Tensors::of_file(&dir.join("adapter_model.safetensors"), &mut digests)?;
        let mut layers = Vec::new();
        for layer in 0..model.layers {
            let mut group = |index: usize| load_group(&settings, &mut tensors, model, layer, GROUPS[index]);
            layers.push([group(0)?, group(1)?, group(2)?, group(3)?]);
        }
        tensors.finish()?;
        Ok(Self { layers, digest: digests.finish() })
    }
}

fn load_group(
    settings: &Settings,
    tensors: &mut Tensors,
    model: &ModelConfig,
    layer: usize,
    modules: &[Module],
) -> Result<Option<LoraGroup>, EngineError> {
    let (mut downs, mut parts, mut offset, mut column) = (Vec::new(), Vec::new(), 0, 0);
    for module in modules {
        let name = format!("model.layers.{layer}.{}", module.name());
        let outputs = module.outputs(model);
        // A module that is not meant to change must not have tensors: they stay untaken and are refused by name.
        if settings.targets(&name, layer) {
            let rank = settings.rank(&name)?;
            let tensor = |which: &str| format!("base_model.model.{name}.lora_{which}.weight");
            downs.push(tensors.take(&tensor("A"), &[rank, module.inputs(model)])?);
            let up = tensors.take(&tensor("B"), &[outputs, rank])?;
            parts.push(LoraPart { offset, column, up: Packed::new(&[&up], rank), scale: settings.scale(&name, rank)? });
            offset += rank;
        }
        column += outputs;
    }
    let down = Packed::new(&downs.iter().collect::<Vec<_>>(), modules[0].inputs(model));
    Ok((!parts.is_empty()).then_some(LoraGroup { down, parts }))
}

/// Keys whose value does not change what a trained adapter computes.
const HARMLESS: [&str; 16] = [
    "auto_mapping",
    "base_model_name_or_path",
    "bias",
    "eva_config",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "lora_dropout",
    "lora_ga_config",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "task_type",
];

/// Keys that are read here.
const READ: [&str; 9] = [
    "alpha_pattern",
    "exclude_modules",
    "layers_to_transform",
    "lora_alpha",
    "r",
    "rank_pattern",
    "target_modules",
    "use_rslora",
    "ensure_weight_tying",
];

struct Settings {
    file: Object,
    rank: usize,
    alpha: f64,
    rank_scaled_by_root: bool,
    targets: Names,
    excluded: Option<Names>,
    layers: Option<Vec<usize>>,
    rank_pattern: Vec<(Regex, Value)>,
    alpha_pattern: Vec<(Regex, Value)>,
}

/// Modules as PEFT lets one name them.
enum Names {
    /// Endings of the full name.
    Endings(Vec<String>),
    /// A regular expression for the full name.
    Pattern(Regex),
}

impl Names {
    fn new(file: &Object, key: &str, value: &Value) -> Result<Self, EngineError> {
        match value {
            Value::String(text) if text == "all-linear" => Ok(Self::Endings(all_endings())),
            Value::String(text) => Ok(Self::Pattern(pattern(file, key, &format!("^(?:{text})$"))?)),
            Value::Array(list) => {
                let names = list.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
                names.map(Self::Endings).ok_or_else(|| file.wrong(key, "is not a list of names"))
            }
            other => Err(file.wrong(key, format!("is {}, expected names", brief(other)))),
        }
    }

    fn contains(&self, name: &str) -> bool {
        match self {
            Self::Endings(list) => list.iter().any(|e| ends_with_part(name, e)),
            Self::Pattern(regex) => regex.is_match(name),
        }
    }
}

fn ends_with_part(name: &str, ending: &str) -> bool {
    name.strip_suffix(ending).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn all_endings() -> Vec<String> {
    GROUPS.iter().flat_map(|g| g.iter()).map(|m| m.name().to_owned()).collect()
}

fn pattern(file: &Object, key: &str, text: &str) -> Result<Regex, EngineError> {
    let built = regex::RegexBuilder::new(text).size_limit(1 << 20).build();
    built.map_err(|_| file.wrong(key, format!("holds the pattern {}, which cannot be read", brief(&text.into()))))
}

/// Keys are matched against the end of the full name, from the start of one of its parts (PEFT's `get_pattern_key`).
fn patterns(file: &Object, key: &str) -> Result<Vec<(Regex, Value)>, EngineError> {
    let Some(value) = file.get(key) else { return Ok(Vec::new()) };
    let Some(map) = value.as_object() else { return Err(file.wrong(key, "is not an object")) };
    map.iter().map(|(k, v)| Ok((pattern(file, key, &format!(r"^(?:.*\.)?(?:{k})$"))?, v.clone()))).collect()
}

impl Settings {
    fn new(file: Object, model: &ModelConfig) -> Result<Self, EngineError> {
        refuse_what_is_not_plain_lora(&file)?;
        let targets = match file.get("target_modules") {
            Some(value) => Names::new(&file, "target_modules", value)?,
            None => return Err(file.wrong("target_modules", "is missing")),
        };
        if let Names::Endings(endings) = &targets {
            let full = |e: &String| all_endings().iter().any(|m| ends_with_part(&format!("model.layers.0.{m}"), e));
            let layer = |e: &String| e.contains("layers.");
            if let Some(unknown) = endings.iter().find(|e| !full(e) && !layer(e)) {
                return Err(file.unsupported(
                    format!("target module {}", brief(&Value::from(unknown.as_str()))),
                    "adapters may change the linear maps of attention and of the MLP",
                ));
            }
        }
        let excluded = file.get("exclude_modules").map(|v| Names::new(&file, "exclude_modules", v)).transpose()?;
        Ok(Self {
            rank: file.required_size("r")?,
            alpha: file.positive("lora_alpha")?.ok_or_else(|| file.wrong("lora_alpha", "is missing"))?,
            rank_scaled_by_root: file.flag("use_rslora")?,
            targets,
            excluded,
            layers: chosen_layers(&file, model)?,
            rank_pattern: patterns(&file, "rank_pattern")?,
            alpha_pattern: patterns(&file, "alpha_pattern")?,
            file,
        })
    }

    fn targets(&self, name: &str, layer: usize) -> bool {
        self.targets.contains(name)
            && !self.excluded.as_ref().is_some_and(|e| e.contains(name))
            && self.layers.as_ref().is_none_or(|layers| layers.contains(&layer))
    }

    /// The value of the pattern that matches, if one does. PEFT takes the first in the file's order; where the order would
    /// matter the adapter is refused, since JSON objects have none.
    fn matching<'a>(
        &'a self,
        key: &str,
        patterns: &'a [(Regex, Value)],
        module: &str,
    ) -> Result<Option<&'a Value>, EngineError> {
        let mut values = patterns.iter().filter(|(regex, _)| regex.is_match(module)).map(|(_, value)| value);
        let first = values.next();
        if values.any(|other| Some(other) != first) {
            return Err(self.wrong(module, format!("several entries of {key} match it and differ")));
        }
        Ok(first)
    }

    fn rank(&self, module: &str) -> Result<usize, EngineError> {
        match self.matching("rank_pattern", &self.rank_pattern, module)? {
            None => Ok(self.rank),
            Some(value) => match value.as_u64() {
                Some(rank @ 1..=0x0100_0000) => Ok(rank as usize),
                _ => Err(self.wrong(module, format!("its rank is {}, expected an integer from 1", brief(value)))),
            },
        }
    }

    fn scale(&self, module: &str, rank: usize) -> Result<f32, EngineError> {
        let alpha = match self.matching("alpha_pattern", &self.alpha_pattern, module)? {
            None => self.alpha,
            Some(value) => positive(value).ok_or_else(|| {
                self.wrong(module, format!("its alpha is {}, expected a number above 0", brief(value)))
            })?,
        };
        let rank = rank as f64;
        Ok((alpha / if self.rank_scaled_by_root { rank.sqrt() } else { rank }) as f32)
    }

    fn wrong(&self, module: &str, problem: String) -> EngineError {
        EngineError::Adapter { path: self.file.path.clone(), module: module.to_owned(), problem }
    }
}

fn chosen_layers(file: &Object, model: &ModelConfig) -> Result<Option<Vec<usize>>, EngineError> {
    let key = "layers_to_transform";
    let Some(value) = file.get(key) else { return Ok(None) };
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    if list.is_empty() {
        return Ok(None);
    }
    let layers = list.iter().map(|v| v.as_u64().map(|n| n as usize).filter(|n| *n < model.layers));
    match layers.collect::<Option<Vec<_>>>() {
        Some(layers) => Ok(Some(layers)),
        None => Err(file.wrong(key, format!("is {}, expected layers below {}", brief(value), model.layers))),
    }
}

fn refuse_what_is_not_plain_lora(file: &Object) -> Result<(), EngineError> {
    let help = "merge the adapter into its base, or train a plain LoRA adapter";
    match file.text("peft_type")? {
        Some("LORA") => {}
        other => return Err(file.unsupported(format!("peft_type {other:?}"), help)),
    }
    if let Some(bias) = file.text("bias")?.filter(|b| *b != "none") {
        return Err(file.unsupported(format!("bias {}", brief(&Value::from(bias))), help));
    }
    // Some initialisations rewrite the base's weights, so that the adapter alone is not the fine-tuned model.
    if let Some(Value::String(how)) = file.get("init_lora_weights")
        && !["gaussian", "eva", "orthogonal"].contains(&how.as_str())
    {
        return Err(file.unsupported(format!("init_lora_weights {}", brief(&how.as_str().into())), help));
    }
    for (key, value) in &file.values {
        let known = HARMLESS.contains(&key.as_str()) || READ.contains(&key.as_str());
        if !known && !is_unused(value) {
            return Err(file.unsupported(format!("{} = {}", brief(&key.as_str().into()), brief(value)), help));
        }
    }
    Ok(())
}

/// Values that say that a feature is not used.
fn is_unused(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(_) | Value::Bool(true) => false,
    }
}
