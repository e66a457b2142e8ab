//! A table before it is Markdown, LaTeX or HTML.

/// Text, and what stands smaller beside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableCell {
    pub text: String,
    pub beside: Option<String>,
}

impl<T: Into<String>> From<T> for TableCell {
    fn from(text: T) -> Self {
        Self { text: text.into(), beside: None }
    }
}

/// Columns of text, the first of which names the row.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub title: String,
    /// What a reader must know to read it.
    pub legend: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<TableCell>>,
    /// Names of the figures that show the same.
    pub figures: Vec<String>,
}
