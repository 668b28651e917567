//! Tables on the terminal: columns as wide as what stands in them.

use super::out;

/// Prints a head and rows; the last column may be as long as it likes.
pub(super) fn print(head: &[&str], rows: &[Vec<String>]) -> std::io::Result<()> {
    out::print(format_args!("{}", text(head, rows)))
}

fn text(head: &[&str], rows: &[Vec<String>]) -> String {
    let head = head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
    let all = || std::iter::once(&head).chain(rows);
    let width = |column: usize| all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in all() {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_aligned_and_lines_have_no_blank_ends() {
        let rows = vec![vec!["a".to_owned(), "1".to_owned()], vec!["längere".to_owned(), String::new()]];
        assert_eq!(super::text(&["name", "n"], &rows), "name     n\na        1\nlängere\n");
    }
}
