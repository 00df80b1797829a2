//! Columns for a terminal. What is shown comes from agents: control characters never reach the
//! terminal as such.

use std::io::{self, Write};

/// Cells are at most so wide.
const WIDEST: usize = 72;

/// Rows under a header, aligned.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(header: &[&str]) -> Self {
        Self { rows: vec![header.iter().map(|&name| name.to_owned()).collect()] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| shortened(plain(&cell))).collect());
    }

    /// # Errors
    /// When `out` cannot be written.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|it| it.chars().count()).max()
        };
        let widths: Vec<usize> = (0..columns).map(|it| width(it).unwrap_or(0)).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{cell:<width$}  "));
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Text without control characters, and without those that turn the direction of writing.
pub(crate) fn plain(text: &str) -> String {
    let is_odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if is_odd(c) {
            plain.extend(c.escape_unicode());
        } else {
            plain.push(c);
        }
    }
    plain
}

fn shortened(text: String) -> String {
    if text.chars().count() <= WIDEST {
        return text;
    }
    let mut short: String = text.chars().take(WIDEST - 3).collect();
    short.push_str("...");
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_tame() {
        let mut table = Table::new(&["A", "B"]);
        table.row(["long cell".to_owned(), "x\u{1b}[31m\n".to_owned()]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        let expected = "A          B\nlong cell  x\\u{1b}[31m\\u{a}\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
