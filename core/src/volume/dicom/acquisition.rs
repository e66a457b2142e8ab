//! Acquisitions that share one SeriesInstanceUID: phases of contrast, a scan and its repetition, two kernels. They are separated by what
//! their headers say, and one of them is read; a volume stitched of both would be striped.

use std::cmp::Ordering;

use super::header::{Labels, SliceHeader};
use super::plane::{SAME_MM, dot, median, upwards};
use crate::volume::warning::Warning;

/// Nearer than this share of the distance of slices, a slice does not belong to the stack.
const CROWDED: f64 = 0.75;
/// A distance above this share of the median means that slices are missing.
const GAP: f64 = 1.5;
/// Acquisitions that cover this share of the longest one count as complete.
const COMPLETE: f64 = 0.9;
/// Slices a stack must have, on average, for its label to name it.
const FEW: usize = 3;
/// More stacks than this are no acquisitions.
const MOST: usize = 16;

type Slice = (usize, SliceHeader);

/// An element of the header by which acquisitions may differ.
struct Label {
    name: &'static str,
    of: fn(&Labels) -> &str,
    /// Its value may be told: it is no time of day.
    told: bool,
    /// It alone says that two acquisitions are there; otherwise only where slices share places.
    sure: bool,
}

const LABELS: [Label; 6] = [
    Label { name: "ConvolutionKernel", of: |l| &l.kernel, told: true, sure: true },
    Label { name: "ImageType", of: |l| &l.image_type, told: true, sure: true },
    Label { name: "AcquisitionNumber", of: |l| &l.acquisition_number, told: true, sure: true },
    Label { name: "AcquisitionTime", of: |l| &l.acquisition_time, told: false, sure: true },
    Label { name: "ContentTime", of: |l| &l.content_time, told: false, sure: true },
    Label { name: "InstanceNumber", of: |l| &l.instance_number, told: false, sure: false },
];

/// Slices of one acquisition as numbers into the files, with their heights in mm, ascending.
#[derive(Clone, Default)]
struct Stack {
    files: Vec<usize>,
    heights: Vec<f64>,
}

/// The slices of one acquisition, the most complete one, and what was left aside. All files have one geometry.
pub fn separate(mut files: Vec<Slice>) -> (Vec<Slice>, Vec<Warning>) {
    let mut warnings = Vec::new();
    while let Some((kept, warning)) = LABELS.iter().find_map(|label| split(&files, label)) {
        let mut kept = kept.into_iter().peekable();
        let numbered = files.into_iter().enumerate();
        files = numbered.filter(|(i, _)| kept.next_if_eq(i).is_some()).map(|(_, slice)| slice).collect();
        warnings.push(warning);
    }
    (files, warnings)
}

/// The files to keep, ascending, where a label tells acquisitions apart.
fn split(files: &[Slice], label: &Label) -> Option<(Vec<usize>, Warning)> {
    let normal = upwards(&files.first()?.1);
    let height = |i: usize| dot(files[i].1.position, normal);
    let value = |i: usize| (label.of)(&files[i].1.labels);
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by(|a, b| compared(value(*a), value(*b)).then_with(|| height(*a).total_cmp(&height(*b))));
    let values: Vec<&[usize]> = order.chunk_by(|a, b| value(*a) == value(*b)).collect();
    if values.len() < 2 || !(label.sure || doubled(files, height)) {
        return None;
    }
    let named = files.len() >= FEW * values.len();
    let one_way = runs(&order, height);
    let stacks = one_way.len() <= MOST && one_way.iter().all(|run| run.len() >= FEW);
    let acquisitions = if named {
        merged(values.into_iter().map(|files| Stack::of(files, height)).collect())
    } else if stacks {
        merged(one_way.into_iter().map(|files| Stack::of(files, height)).collect())
    } else {
        // slice by slice: one after the other, or not at all
        let found = merged(order.iter().map(|i| Stack::of(&[*i], height)).collect());
        let place = |i: &usize| found.iter().position(|a| a.files.contains(i));
        order.is_sorted_by_key(place).then_some(found)?
    };
    if acquisitions.len() < 2 {
        return None;
    }
    let covered = acquisitions.iter().map(Stack::covered).fold(0.0, f64::max);
    let complete = acquisitions.iter().enumerate().filter(|(_, a)| a.covered() >= COMPLETE * covered);
    // of equal ones the first
    let (i, best) = complete.rev().max_by_key(|(_, a)| a.places())?;
    let chosen = match (label.told, value(best.files[0])) {
        (true, "") => "the one without".into(),
        (true, value) => value.chars().take(64).collect(),
        _ => format!("number {}", i + 1),
    };
    let (count, slices) = (acquisitions.len(), best.files.len());
    let others = files.len() - slices;
    let mut kept = best.files.clone();
    kept.sort_unstable();
    Some((kept, Warning::Acquisitions { by: label.name, count, chosen, slices, others }))
}

/// Numbers as numbers, before words.
fn compared(a: &str, b: &str) -> Ordering {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(x), Ok(y)) => x.total_cmp(&y).then_with(|| a.cmp(b)),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        _ => a.cmp(b),
    }
}

/// Whether two slices share a place.
fn doubled(files: &[Slice], height: impl Fn(usize) -> f64) -> bool {
    let mut heights: Vec<f64> = (0..files.len()).map(height).collect();
    heights.sort_by(f64::total_cmp);
    heights.windows(2).any(|w| w[1] - w[0] <= SAME_MM)
}

/// The order cut where it turns round, stands still, or comes nearer than it went before.
fn runs(order: &[usize], height: impl Fn(usize) -> f64) -> Vec<&[usize]> {
    let (mut first, mut all) = (0, Vec::new());
    let mut usual: Option<f64> = None;
    for k in 1..order.len() {
        let step = height(order[k]) - height(order[k - 1]);
        let onwards = usual.is_none_or(|u| step * u > 0.0 && step.abs() >= CROWDED * u.abs());
        if step.abs() > SAME_MM && onwards {
            usual.get_or_insert(step);
        } else {
            all.push(&order[first..k]);
            (first, usual) = (k, None);
        }
    }
    all.push(&order[first..]);
    all
}

/// Stacks in their order, each put to the first acquisition whose places it does not crowd.
fn merged(stacks: Vec<Stack>) -> Vec<Stack> {
    let mut all: Vec<Stack> = Vec::new();
    for stack in stacks {
        match all.iter_mut().find(|a| !a.crowded_by(&stack)) {
            Some(acquisition) => acquisition.add(stack),
            None => all.push(stack),
        }
    }
    all
}

impl Stack {
    fn of(files: &[usize], height: impl Fn(usize) -> f64) -> Self {
        let mut all = Self::default();
        all.add(Self { files: files.to_vec(), heights: files.iter().map(|i| height(*i)).collect() });
        all
    }

    fn add(&mut self, other: Self) {
        self.files.extend(other.files);
        self.heights.extend(other.heights);
        self.heights.sort_by(f64::total_cmp);
    }

    fn steps(&self) -> Vec<f64> {
        self.heights.windows(2).map(|w| w[1] - w[0]).filter(|step| *step > SAME_MM).collect()
    }

    /// How many different places it has.
    fn places(&self) -> usize {
        self.steps().len() + 1
    }

    /// The length in mm that its slices cover, gaps left out.
    fn covered(&self) -> f64 {
        let steps = self.steps();
        if steps.is_empty() {
            return 0.0;
        }
        let usual = median(steps.clone());
        steps.into_iter().filter(|step| *step <= GAP * usual).sum()
    }

    /// Lowest and highest place.
    fn ends(&self) -> (f64, f64) {
        (self.heights[0], self.heights[self.heights.len() - 1])
    }

    /// Whether the two can't be one stack: half of the other's slices lie nearer to one of these than slices follow each other; or half of
    /// these, where the other covers them, to one of the other's, as where thin slices repeat thick ones. Slices that fill gaps do not.
    /// A single slice crowds only a place that is taken: the distance of slices that arrive in any order is not known yet.
    fn crowded_by(&self, other: &Self) -> bool {
        let usual = |steps: Vec<f64>| (!steps.is_empty()).then(|| median(steps));
        let single = other.heights.len() == 1;
        let spacing = usual(self.steps()).zip(usual(other.steps())).filter(|_| !single);
        let near = spacing.map_or(SAME_MM, |(a, b)| (CROWDED * a.min(b)).max(SAME_MM));
        let taken = |by: &[f64], height: f64| {
            let above = by.partition_point(|h| *h < height);
            by[above.saturating_sub(1)..].iter().take(2).any(|h| (h - height).abs() <= near)
        };
        let half = |of: &[f64], by: &[f64]| 2 * of.iter().filter(|h| taken(by, **h)).count() >= of.len();
        if half(&other.heights, &self.heights) {
            return true;
        }
        let ((low, high), (start, end)) = (self.ends(), other.ends());
        let shared = high.min(end) - low.max(start);
        let covered = self.heights.iter().copied().filter(|h| (start..=end).contains(h)).collect::<Vec<_>>();
        !single
            && !covered.is_empty()
            && 2.0 * shared >= (high - low).min(end - start)
            && half(&covered, &other.heights)
    }
}
