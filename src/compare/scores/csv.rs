//! A table as comma-separated values under a header.

use super::ScoreFile;
use super::cells::{COLUMNS, Table, needed, unknown};
use super::collect::{Collector, Layout, csv_field};

/// Reads a table.
pub(super) fn read(found: &mut Collector, file: &ScoreFile) {
    let mut table = Table::new(found, file, Layout::Csv([None; COLUMNS.len()]));
    let text = file.source.text.clone();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    let mut header = None;
    let mut rows = 0;
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(e) => return table.error(0..0, format!("the table cannot be read: {e}"), None),
        }
        let at = record.position().map_or(0, |p| usize::try_from(p.byte()).unwrap_or(usize::MAX)).min(text.len());
        // The reader counts a line break that it has not yet skipped, and blank lines, to the row behind them.
        let row = at + text[at..].len() - text[at..].trim_start_matches(['\r', '\n']).len();
        let Some((width, fields)) = header else {
            let Some(fields) = read_header(&mut table, &text, &record, row) else { return };
            header = Some((record.len(), fields));
            continue;
        };
        rows += 1;
        if record.len() != width {
            let message = format!("{} fields, where the header has {width}", record.len());
            let help = "a field that holds a comma or a quote stands in double quotes".to_owned();
            table.error(csv_field(&text, row, 0), message, Some(help));
            continue;
        }
        let cells = std::array::from_fn(|c| fields[c].and_then(|f| record.get(f)).map(|cell| cell.trim().into()));
        table.add(row, &cells);
    }
    if header.is_none() {
        let help = format!("its first line names the columns: {}", table.required());
        table.error(0..0, "the table is empty", Some(help));
    } else if rows == 0 {
        table.error(0..0, "the table has no row below its header", None);
    }
}

/// Where each column stands, if the header names every column that must be there, and none that is unknown.
fn read_header(
    table: &mut Table,
    text: &str,
    header: &csv::StringRecord,
    row: usize,
) -> Option<[Option<usize>; COLUMNS.len()]> {
    let mut fields = [None; COLUMNS.len()];
    let mut good = true;
    for (i, name) in header.iter().map(str::trim).enumerate() {
        let span = csv_field(text, row, i);
        let (message, help) = match COLUMNS.iter().position(|c| *c == name) {
            None => unknown(name),
            Some(c) if fields[c].is_some() => (format!("the column `{name}` stands twice"), None),
            Some(c) => match table.refused(c) {
                Some((message, help)) => (message, Some(help)),
                None => {
                    fields[c] = Some(i);
                    continue;
                }
            },
        };
        table.error(span, message, help);
        good = false;
    }
    for c in needed(table.names_target()).filter(|c| fields[*c].is_none()) {
        let help = format!("the header needs {}", table.required());
        table.error(row..row, format!("the column `{}` is missing", COLUMNS[c]), Some(help));
        good = false;
    }
    table.lay_out(fields);
    good.then_some(fields)
}
