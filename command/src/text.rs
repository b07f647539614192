//! How things are written for people: columns, sizes, and bytes that may be anything.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that a line may have.
pub fn width() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0).max(40))
}

/// A size in bytes, with three digits that matter: `999 B`, `1.50 KiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut value, mut unit) = (bytes as f64 / 1024.0, 0);
    while value >= 999.5 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    let value = format!("{value:.digits$}");
    let value = if value.contains('.') {
        value.trim_end_matches('0').trim_end_matches('.')
    } else {
        &value
    };
    format!("{value} {}", UNITS[unit])
}

/// A number, its digits in groups of three.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many of something.
pub fn count(count: u64, one: &str) -> String {
    format!("{} {one}{}", number(count), if count == 1 { "" } else { "s" })
}

/// Cut to `width` columns.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= width
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// Bytes as one line: text if they are text, with what could disturb a terminal written out;
/// otherwise the first of them as hex digits.
pub fn line(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.chars().map(shown).collect(),
        Err(_) => {
            let digits = hex(&bytes[..bytes.len().min(64)]);
            let pairs: Vec<&str> =
                (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]).collect();
            format!("{}{}", pairs.join(" "), if bytes.len() > 64 { " …" } else { "" })
        }
    }
}

/// Control characters, and those that are not seen or turn the line around, as Rust writes them.
fn shown(c: char) -> String {
    let is_plain = c == ' ' || c == '\'' || c == '"' || c == '\\';
    if is_plain { c.to_string() } else { c.escape_debug().to_string() }
}

/// Bytes as hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lines of a table: the first column to the left, the others to the right, as wide as they must
/// be; the first one is cut so that a line fits into `width` columns.
pub fn table(rows: &[Vec<String>], width: usize) -> String {
    table_of(1, rows, width)
}

/// The same with `names` columns that are to the left, and are cut.
pub fn table_of(names: usize, rows: &[Vec<String>], width: usize) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widest = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let others: usize = (names..columns).map(|column| widest(column) + 2).sum();
    let mut room = width.saturating_sub(others + 2 * (names - 1));
    let mut widths: Vec<usize> = (0..columns).map(widest).collect();
    for (column, name) in widths.iter_mut().enumerate().take(names) {
        *name = (*name).min((room / (names - column)).max(8));
        room = room.saturating_sub(*name);
    }
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let cell = if column < names { cut(cell, widths[column]) } else { cell.clone() };
            let blank = " ".repeat(widths[column] - cell.width());
            text.push_str(if column == 0 { "" } else { "  " });
            match column < names {
                true => text.extend([&*cell, &*blank]),
                false => text.extend([&*blank, &*cell]),
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// Lines of names and what there is to say of each.
pub fn list(rows: &[(&str, String)]) -> String {
    let widest = rows.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!("{name:widest$}  {value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_three_digits_that_matter() {
        for (bytes, said) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (10 * 1024 + 100, "10.1 KiB"),
            (100 * 1024, "100 KiB"),
            (1024 * 1024 - 1, "1 MiB"),
            (64 * 1024 * 1024, "64 MiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(size(bytes), said);
        }
    }

    #[test]
    fn a_number_is_written_in_groups() {
        for (value, said) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(value), said);
        }
        assert_eq!((count(1, "queue"), count(2, "queue")), ("1 queue".into(), "2 queues".into()));
    }

    #[test]
    fn a_cut_text_fits_also_where_characters_are_wide() {
        assert_eq!(cut("letters", 7), "letters");
        assert_eq!(cut("letters", 5), "lett…");
        assert_eq!(cut("手紙です", 5), "手紙…");
    }

    #[test]
    fn bytes_cannot_disturb_a_terminal() {
        assert_eq!(line("plain \"text\" ä".as_bytes()), "plain \"text\" ä");
        assert_eq!(line(b"\x1b[2Jred\n"), "\\u{1b}[2Jred\\n");
        assert_eq!(line("\u{202e}txet".as_bytes()), "\\u{202e}txet");
        assert_eq!(line(&[0xff, 0x00]), "ff 00");
    }

    #[test]
    fn a_table_fits_by_cutting_its_first_column() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let rows = [row(["QUEUE", "READY"]), row(["a.very.long.name", "1"])];
        assert_eq!(table(&rows, 80), "QUEUE             READY\na.very.long.name      1\n");
        assert_eq!(table(&rows, 16), "QUEUE      READY\na.very.l…      1\n");
        let rows = [["STREAM", "GROUP", "LAG"], ["orders", "a.very.long.name", "17"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let wide = "STREAM  GROUP             LAG\norders  a.very.long.name   17\n";
        assert_eq!(table_of(2, &rows, 80), wide);
        assert_eq!(table_of(2, &rows, 24), "STREAM  GROUP        LAG\norders  a.very.lon…   17\n");
    }
}
