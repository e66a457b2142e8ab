//! One nodule's crop: its shape, filled, in its surroundings, with the scanner's noise.

use super::grid::Grid;
use super::shape::{self, Subject};
use super::tissue;
use crate::lidc::annotations::Scan;
use crate::lidc::nodule::Nodule;

/// The crop in HU, a pure function of nodule and scan.
pub fn draw(nodule: &Nodule, scan: &Scan) -> Grid {
    let pitch = 2.0 * nodule.diameter_mm / 32.0;
    let subject = Subject { nodule, scan, pitch, psf: (0.55 / pitch).max(0.35) };
    let soft = shape::soft_mask(&subject);
    let mut hu = tissue::background(&subject);
    hu.mix(&tissue::density(&subject, &soft), &soft);
    tissue::add_spicules(&subject, &soft, &mut hu);
    tissue::add_noise(&subject, &mut hu);
    hu
}
