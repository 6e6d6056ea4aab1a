//! A table as JSON lines: one object per row, with the columns as keys.

use super::ScoreFile;
use super::cells::{CASE, COLUMNS, Cells, REPEAT, Table, VALUE, needed, unknown};
use super::collect::{Collector, Layout};
use crate::suite::json;
use serde_json::{Map, Value};

/// Reads a table.
pub(super) fn read(found: &mut Collector, file: &ScoreFile) {
    let mut table = Table::new(found, file, Layout::Jsonl);
    let text = file.source.text.clone();
    let (mut row, mut rows) = (0, 0);
    for line in text.split_inclusive('\n') {
        let start = row;
        row += line.len();
        if line.trim().is_empty() {
            continue;
        }
        rows += 1;
        match json::parse_strict(line.trim_end()) {
            Ok(Value::Object(object)) => {
                if let Some(cells) = cells_of(&mut table, start, line, &object) {
                    table.add(start, &cells);
                }
            }
            Ok(_) => {
                let help = format!("each line is one object with the keys {}", table.required());
                table.error(start..start + 1, "this line is no JSON object", Some(help));
            }
            Err(e) => {
                // Serde counts columns in bytes from 1, and a mistake at the end of the line behind its last byte.
                let at = (start + e.column().saturating_sub(1)).min(start + line.trim_end().len());
                let message = e.to_string();
                let message = message.split(" at line ").next().unwrap_or_default();
                table.error(at..at, format!("not JSON: {message}"), None);
            }
        }
    }
    if rows == 0 {
        let help = format!("each line is one object with the keys {}", table.required());
        table.error(0..0, "the table is empty", Some(help));
    }
}

fn cells_of<'t>(table: &mut Table, row: usize, line: &str, object: &'t Map<String, Value>) -> Option<Cells<'t>> {
    let mut good = true;
    let mut cells = Cells::default();
    for (key, value) in object {
        let place = json::locate(line, &[key]);
        let at = row + place;
        let column = COLUMNS.iter().position(|c| c == key);
        let refused = match column {
            None => Some(unknown(key)),
            Some(c) => table.refused(c).map(|(message, help)| (message, Some(help))),
        };
        if let Some((message, help)) = refused {
            // The key itself, unless it is written with escapes.
            let at = line[..place].rfind(&format!("\"{key}\"")).map_or(at, |key| row + key);
            table.error(at..at + 1, message, help);
            good = false;
            continue;
        }
        let Some(c) = column else { continue };
        cells[c] = Some(match value {
            Value::Null => "".into(),
            Value::String(text) if c != VALUE => text.into(),
            // Other tools number their cases.
            Value::Number(number) if matches!(c, CASE | VALUE | REPEAT) => number.to_string().into(),
            _ => {
                let wanted = if c == VALUE { "a number, or null where there is no score" } else { "a text" };
                table.error(at..at + 1, format!("`{key}` is not {wanted}"), None);
                good = false;
                continue;
            }
        });
    }
    for c in needed(table.names_target()) {
        if !object.contains_key(COLUMNS[c]) {
            table.error(row..row + 1, format!("the key `{}` is missing", COLUMNS[c]), None);
            good = false;
        }
    }
    good.then_some(cells)
}
