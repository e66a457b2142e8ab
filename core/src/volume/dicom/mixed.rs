//! Slices that are no part of the volume although they bear its SeriesInstanceUID: scout views, other sizes.

use super::header::SliceHeader;
use crate::error::SeriesFault;
use crate::volume::warning::Warning;

type Slice = (usize, SliceHeader);

/// The slices of one geometry, that of most, and what was left aside. `name` gives a file's name by the caller's number.
///
/// # Errors
/// When the files are of several patients, or a slice of another pixel spacing continues the others.
pub fn alike(files: Vec<Slice>, name: &dyn Fn(usize) -> String) -> Result<(Vec<Slice>, Option<Warning>), SeriesFault> {
    let mixed = |(what, one, other): Difference, file: usize| SeriesFault::Mixed { what, one, other, file: name(file) };
    if let Some((first, rest)) = files.split_first()
        && let Some((file, other)) = rest.iter().find(|(_, h)| h.patient_id != first.1.patient_id)
    {
        return Err(mixed(("patient", first.1.patient_id.clone(), other.patient_id.clone()), *file));
    }
    let mut groups: Vec<Vec<Slice>> = Vec::new();
    for slice in files {
        match groups.iter_mut().find(|g| difference(&g[0].1, &slice.1).is_none()) {
            Some(group) => group.push(slice),
            None => groups.push(vec![slice]),
        }
    }
    // of equal ones the first
    let most = (0..groups.len()).rev().max_by_key(|i| (!groups[*i][0].1.localizer, groups[*i].len()));
    let Some(most) = most else { return Ok((Vec::new(), None)) };
    let kept = groups.swap_remove(most);
    let mut aside = Vec::new();
    for group in &groups {
        let (file, header) = &group[0];
        let Some(what) = difference(&kept[0].1, header) else { continue };
        if what.0 == SPACING && !(group.len() > 1 && overlap(&kept, group)) {
            return Err(mixed(what, *file));
        }
        aside.push((group.len(), format!("{} ({} {}, where the others have {})", name(*file), what.0, what.2, what.1)));
    }
    let count = aside.iter().map(|(n, _)| n).sum();
    let first = aside.into_iter().next().map(|(_, words)| words);
    Ok((kept, first.map(|first| Warning::LeftAside { first, count })))
}

/// In what two slices differ, and how each has it.
type Difference = (&'static str, String, String);

const SPACING: &str = "pixel spacing";

fn difference(a: &SliceHeader, b: &SliceHeader) -> Option<Difference> {
    let close = |x: &[f64], y: &[f64], tolerance: f64| x.iter().zip(y).all(|(p, q)| (p - q).abs() <= tolerance);
    let kind = |h: &SliceHeader| if h.localizer { "scout view" } else { "axial image" }.to_owned();
    let size = |h: &SliceHeader| format!("{} x {}", h.columns, h.rows);
    if a.localizer != b.localizer {
        return Some(("kind", kind(a), kind(b)));
    }
    if size(a) != size(b) {
        return Some(("size", size(a), size(b)));
    }
    if !(0..2).all(|i| close(&a.orientation[i], &b.orientation[i], 1e-3)) {
        return Some(("orientation", format!("{:?}", a.orientation), format!("{:?}", b.orientation)));
    }
    let spacing = |h: &SliceHeader| format!("{:?}", h.pixel_spacing);
    (!close(&a.pixel_spacing, &b.pixel_spacing, 1e-4)).then(|| (SPACING, spacing(a), spacing(b)))
}

/// Whether half of the second's height lies within the first's.
fn overlap(a: &[Slice], b: &[Slice]) -> bool {
    let ends = |g: &[Slice]| {
        let z = || g.iter().map(|(_, h)| h.position[2]);
        (z().fold(f64::INFINITY, f64::min), z().fold(f64::NEG_INFINITY, f64::max))
    };
    let ((low, high), (start, end)) = (ends(a), ends(b));
    2.0 * (high.min(end) - low.max(start)) >= end - start
}
