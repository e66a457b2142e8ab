//! What lies outside of the field of view: PixelPaddingValue, read with care, because some writers name a value that tissue has too
//! (0 in signed data is water).

use super::header::SliceHeader;

/// Which pixels of stored values within `range` (both ends included) are padding: those connected with the border of the image through
/// others of the range, the only place that padding has. A pixel of that value within the body is tissue.
pub fn outside(stored: &[i32], header: &SliceHeader, (low, high): (i32, i32)) -> Vec<bool> {
    let (rows, columns) = (usize::from(header.rows), usize::from(header.columns));
    let mut outside = vec![false; stored.len()];
    let mut open = Vec::new();
    let mut visit = |i: usize, open: &mut Vec<usize>| {
        if (low..=high).contains(&stored[i]) && !std::mem::replace(&mut outside[i], true) {
            open.push(i);
        }
    };
    for column in 0..columns {
        visit(column, &mut open);
        visit((rows - 1) * columns + column, &mut open);
    }
    for row in 0..rows {
        visit(row * columns, &mut open);
        visit(row * columns + columns - 1, &mut open);
    }
    while let Some(i) = open.pop() {
        let (row, column) = (i / columns, i % columns);
        let near = [
            (row > 0).then(|| i - columns),
            (row + 1 < rows).then(|| i + columns),
            (column > 0).then(|| i - 1),
            (column + 1 < columns).then(|| i + 1),
        ];
        near.into_iter().flatten().for_each(|j| visit(j, &mut open));
    }
    outside
}
