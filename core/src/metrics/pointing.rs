//! Where a heat map points: the share of its energy inside a mask (the energy-based pointing game of Wang et al., Score-CAM,
//! 2020, with a mask in place of a box).

/// The part of the map's sum that lies inside; `None` for a map without heat. Values are not negative.
pub fn energy_inside(heat: &[f32], inside: &[bool]) -> Option<f64> {
    let sum = |of: &dyn Fn(usize) -> bool| -> f64 {
        heat.iter().enumerate().filter(|(i, _)| of(*i)).map(|(_, v)| f64::from(*v)).sum()
    };
    let all = sum(&|_| true);
    (all > 0.0).then(|| sum(&|i| inside[i]) / all)
}

/// The part of the mask's plane that is inside: the energy there of a map that is the same everywhere.
pub fn area_inside(inside: &[bool]) -> f64 {
    inside.iter().filter(|v| **v).count() as f64 / inside.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        let inside = [true, false, true, false];
        assert_eq!(energy_inside(&[0.5, 0.25, 1.0, 0.25], &inside), Some(0.75));
        assert_eq!(energy_inside(&[1.0; 4], &inside), Some(area_inside(&inside)));
        assert_eq!(energy_inside(&[0.0; 4], &inside), None);
    }
}
