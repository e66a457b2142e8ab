//! A nodule: the annotations of its readers with volume, equivalent diameter, centre, ratings and class.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::annotations::{Annotation, Contour, Scan};
use super::cluster::cluster;
use crate::dataset::class::{Class, Thresholds};
use crate::dataset::table::Row;

/// One nodule of one scan.
#[derive(Clone, Debug)]
pub struct Nodule {
    /// 0-based, in the order of scans and of first annotations.
    pub id: u32,
    /// Index into the scans.
    pub scan: usize,
    /// Indices into the scan's annotations.
    pub members: Vec<usize>,
    /// Mean over the readers, mm3.
    pub volume_mm3: f64,
    /// Diameter of the sphere of that volume, mm.
    pub diameter_mm: f64,
    /// Mean over the readers of the contour points' centroid: (column, row) times spacing and patient z, mm.
    pub centre_mm: [f64; 3],
    /// Means over the readers in the order of `ATTRIBUTES`.
    pub ratings: [f64; 8],
    pub malignancy_sum: u32,
}

impl Nodule {
    /// How many readers described it.
    pub fn readers(&self) -> u32 {
        self.members.len() as u32
    }

    /// Its row in a data set, without a place in the scanner's frame.
    pub fn row(&self, id: &str, scan: &Scan, thresholds: Thresholds) -> Row {
        Row {
            patient_id: scan.patient_id.clone(),
            series_uid: scan.series_uid.clone(),
            nodule_id: id.into(),
            readers: Some(self.readers()),
            ratings: Some(self.ratings),
            malignancy_sum: Some(self.malignancy_sum),
            mean_malignancy: Some(f64::from(self.malignancy_sum) / f64::from(self.readers())),
            class: self.class(thresholds),
            diameter_mm: Some(self.diameter_mm),
            centre_mm: None,
            fold: None,
        }
    }

    /// Its class.
    pub fn class(&self, thresholds: Thresholds) -> Class {
        thresholds.class(self.malignancy_sum, self.readers())
    }
}

/// All nodules of all scans, by [`cluster`].
pub fn nodules(scans: &[Scan]) -> Vec<Nodule> {
    let groups: Vec<Vec<Vec<usize>>> = scans.par_iter().map(cluster).collect();
    let mut all = Vec::new();
    for (index, (scan, groups)) in scans.iter().zip(groups).enumerate() {
        for members in groups {
            all.push(measure(all.len() as u32, index, scan, members));
        }
    }
    all
}

fn measure(id: u32, index: usize, scan: &Scan, members: Vec<usize>) -> Nodule {
    let n = members.len() as f64;
    let (mut volume, mut centre, mut ratings, mut sum) = (0.0, [0.0; 3], [0.0; 8], 0);
    for &m in &members {
        let annotation = &scan.annotations[m];
        volume += volume_mm3(&annotation.contours, scan.pixel_spacing, scan.slice_spacing) / n;
        let c = centroid_mm(annotation, scan.pixel_spacing);
        (0..3).for_each(|i| centre[i] += c[i] / n);
        (0..8).for_each(|k| ratings[k] += f64::from(annotation.ratings.attributes[k]) / n);
        sum += u32::from(annotation.ratings.malignancy);
    }
    Nodule {
        id,
        scan: index,
        members,
        volume_mm3: volume,
        diameter_mm: equivalent_diameter(volume),
        centre_mm: centre,
        ratings,
        malignancy_sum: sum,
    }
}

/// The diameter in mm of the sphere with this volume: 2 (3V / 4 pi)^(1/3).
pub fn equivalent_diameter(volume_mm3: f64) -> f64 {
    2.0 * (3.0 * volume_mm3 / (4.0 * std::f64::consts::PI)).cbrt()
}

/// Slice areas (shoelace, holes subtracted) times their local z extent: half the gap to each neighbouring contour, the end
/// slices mirrored, a single slice as thick as the slice spacing.
fn volume_mm3(contours: &[Contour], pixel: f64, slice_spacing: f64) -> f64 {
    let mut slices: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for c in contours {
        let signed = if c.inclusion { 1.0 } else { -1.0 } * shoelace(&c.points) * pixel * pixel;
        // z as an exact key: contours on one slice carry the same number
        slices.entry((c.z * 1e6).round() as i64).or_insert((c.z, 0.0)).1 += signed;
    }
    let slices: Vec<(f64, f64)> = slices.into_values().collect();
    let gap = |i: usize, j: usize| (slices[i].0 - slices[j].0).abs();
    (0..slices.len())
        .map(|i| {
            let below = (i > 0).then(|| gap(i, i - 1));
            let above = (i + 1 < slices.len()).then(|| gap(i + 1, i));
            let extent = match (below, above) {
                (Some(a), Some(b)) => (a + b) / 2.0,
                (Some(a), None) | (None, Some(a)) => a,
                (None, None) => slice_spacing,
            };
            slices[i].1.max(0.0) * extent
        })
        .sum()
}

fn shoelace(points: &[(i32, i32)]) -> f64 {
    let cross = |i: usize| {
        let ((x0, y0), (x1, y1)) = (points[i], points[(i + 1) % points.len()]);
        i64::from(x0) * i64::from(y1) - i64::from(x1) * i64::from(y0)
    };
    (0..points.len()).map(cross).sum::<i64>().abs() as f64 / 2.0
}

fn centroid_mm(annotation: &Annotation, pixel: f64) -> [f64; 3] {
    let (mut sum, mut n) = ([0.0; 3], 0.0);
    for c in &annotation.contours {
        for &(x, y) in &c.points {
            sum = [sum[0] + f64::from(x) * pixel, sum[1] + f64::from(y) * pixel, sum[2] + c.z];
            n += 1.0;
        }
    }
    sum.map(|s| s / n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lidc::annotations::embedded;
    use std::io::Read;

    /// Reference values: a 4x3 rectangle at .7 mm has 5.88 mm2; three slices at 2.5 mm: 44.1 mm3, De 4.383422.
    #[test]
    fn rectangle_golden() {
        let contour = |z| Contour { inclusion: true, z, points: vec![(0, 0), (4, 0), (4, 3), (0, 3)] };
        assert!((shoelace(&contour(0.0).points) * 0.49 - 5.88).abs() < 1e-12);
        let volume = volume_mm3(&[contour(0.0), contour(2.5), contour(5.0)], 0.7, 2.5);
        assert!((volume - 44.1).abs() < 1e-9);
        assert!((equivalent_diameter(volume) - 4.383422).abs() < 1e-6);
        assert!((equivalent_diameter(523.598776) - 10.0).abs() < 1e-6);
        assert!((volume_mm3(&[contour(0.0)], 0.7, 2.5) - 5.88 * 2.5).abs() < 1e-9);
    }

    /// 2651 nodules with their counts by readers and class, and each row of the independent export.
    #[test]
    fn counts_and_rows_agree_with_the_independent_export() {
        let scans = embedded().unwrap();
        let all = nodules(&scans);
        assert_eq!(all.len(), 2651);
        let readers = |n: u32| all.iter().filter(|v| v.readers() == n).count();
        assert_eq!([1, 2, 3, 4].map(readers), [769, 491, 481, 896]);
        assert_eq!(all.iter().filter(|v| v.readers() > 4).count(), 14);
        let classes = |t: Thresholds| Class::ALL.map(|c| all.iter().filter(|v| v.class(t) == c).count());
        assert_eq!(classes(Thresholds::Inclusive), [1123, 1025, 503]);
        assert_eq!(classes(Thresholds::Strict), [895, 1369, 387]);

        let mut text = String::new();
        let bytes: &[u8] = include_bytes!("../../../tests/golden/nodules.csv.gz");
        flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().clone();
        let column = |name: &str| header.iter().position(|h| h == name).unwrap();
        for (row, nodule) in reader.records().zip(&all) {
            let row = row.unwrap();
            let number = |name: &str| row[column(name)].parse::<f64>().unwrap();
            let close = |name: &str, value: f64, tolerance: f64| {
                assert!((number(name) - value).abs() < tolerance, "nodule {} {name}: {value}", nodule.id);
            };
            let ids: Vec<String> =
                nodule.members.iter().map(|&m| scans[nodule.scan].annotations[m].id.to_string()).collect();
            assert_eq!(row[column("annotation_ids")], ids.join(" "));
            close("de_mm", nodule.diameter_mm, 2e-6);
            close("centre_x_mm", nodule.centre_mm[0], 1e-3);
            close("centre_y_mm", nodule.centre_mm[1], 1e-3);
            close("centre_z_mm", nodule.centre_mm[2], 1e-3);
            close("mean_texture", nodule.ratings[7], 1e-5);
            close("malignancy_sum", f64::from(nodule.malignancy_sum), 1e-9);
        }
    }
}
