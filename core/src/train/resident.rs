//! A data set that lies on a GPU. Its voxels are sent once, as they are stored; of a batch only the places of its samples are, 384 bytes a
//! crop in place of 128 KB.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::dataset::augment::Augment;
use crate::dataset::crops::Dataset;
use crate::nn::kernels;
use crate::volume::crop::Normalisation;
use crate::volume::grid::{Margin, SIDE};

/// The voxels are numbered in 32 bits.
const MOST_BYTES: u64 = 1 << 31;

/// Crops on a GPU.
#[derive(Clone, Debug)]
pub struct Resident {
    words: Tensor<1, Int>,
    /// The network's input for every value that a voxel can be stored as, computed as for single samples: the GPU only looks up.
    levels: Tensor<1>,
    margin: Margin,
}

impl Resident {
    /// Sends all crops, to be normalised by `norm`; nothing where the device is no GPU, or can't hold them in one array.
    pub fn upload(data: &Dataset, norm: &Normalisation, device: &Device) -> Option<Self> {
        let most = kernels::largest_array(device)?.min(MOST_BYTES);
        (data.bytes() as u64 <= most).then(|| Self::new(data, norm, device))
    }

    fn new(data: &Dataset, norm: &Normalisation, device: &Device) -> Self {
        let device = device.clone().without_autodiff();
        let (words, mut levels) = (data.words(), data.levels());
        levels.iter_mut().for_each(|v| *v = norm.apply(*v));
        let (count, values) = (words.len(), levels.len());
        Self {
            words: Tensor::from_data(TensorData::new(words, [count]), &device),
            levels: Tensor::from_data(TensorData::new(levels, [values]), &device),
            margin: data.header.margin,
        }
    }

    /// Normalised crops, `[n, 32, 32, 32]`, to the last bit those of [`images`](super::batch::images). `augment` may be any that only
    /// moves samples: not [`Augment::Jitter`], which resamples.
    pub fn images(&self, rows: &[usize], augment: Option<(Augment, u64, usize)>) -> Tensor<4> {
        let (kind, seed, epoch) = augment.unwrap_or((Augment::None, 0, 0));
        let sources = rows.iter().flat_map(|&row| {
            let first = row * self.margin.voxels();
            let [zs, ys, xs] = kind.sources(seed, epoch as u64, row as u64, self.margin);
            zs.map(|z| first + z).into_iter().chain(ys).chain(xs).map(|at| at as i32)
        });
        let sources = TensorData::new(sources.collect::<Vec<i32>>(), [rows.len() * 3 * SIDE]);
        let sources = Tensor::from_data(sources, &self.levels.device());
        kernels::gather(self.words.clone(), self.levels.clone(), sources)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::base::random::Stream;
    use crate::dataset::crops::{DatasetHeader, Voxels};
    use crate::dataset::table::Row;
    use crate::nn::kernels::tests::device;
    use crate::phantom::phantom;
    use crate::train::batch::images;

    const COUNT: usize = 7;

    fn parts(cells: [usize; 3]) -> (DatasetHeader, Vec<Row>, usize) {
        let phantom = phantom(crate::dataset::class::Thresholds::Inclusive, Some(COUNT)).unwrap();
        let margin = Margin::new(cells).unwrap();
        (DatasetHeader { margin, ..phantom.header }, phantom.rows, COUNT * margin.voxels())
    }

    fn bits(images: Tensor<4>) -> Vec<u32> {
        images.into_data().iter::<f32>().map(f32::to_bits).collect()
    }

    /// Both ways to store voxels, margins wider and narrower than the shifts and none, every augmentation that moves samples, batches
    /// of several sizes with a row twice: every bit is the CPU's own.
    #[test]
    fn images_are_the_cpus() {
        let mut random = Stream::new(5, 0);
        let norm =
            |data: &Dataset| Normalisation { mean: 0.3, std: 0.17, ..Normalisation::window(data.header.hu_window) };
        for cells in [[0; 3], [2; 3], [0, 1, 3]] {
            let (header, rows, samples) = parts(cells);
            let narrow = Voxels::U8((0..samples).map(|_| random.bits() as u8).collect());
            let wide = Voxels::I16((0..samples).map(|_| random.bits() as i16 >> 3).collect());
            for (voxels, slope, intercept) in [(narrow, 1400.0 / 255.0, -1000.1), (wide, 1.0, 0.0)] {
                let data = Dataset::new(header.clone(), rows.clone(), voxels, slope, intercept).unwrap();
                let resident = Resident::new(&data, &norm(&data), &device());
                let all = [None, Some(Augment::None), Some(Augment::FlipTurn), Some(Augment::Default)];
                for (epoch, kind) in all.into_iter().cycle().take(12).enumerate() {
                    let augment = kind.map(|kind| (kind, 2, epoch));
                    for rows in [&[6, 0, 3, 3, 5][..], &[4]] {
                        let cpu = images(&data, rows, &norm(&data), augment, &Device::flex());
                        assert_eq!(bits(resident.images(rows, augment)), bits(cpu), "{cells:?} {augment:?} {rows:?}");
                    }
                }
            }
        }
    }

    /// The drawn nodules, on the autodiff device as in training.
    #[test]
    fn drawn_nodules_are_the_cpus() {
        let data = phantom(crate::dataset::class::Thresholds::Inclusive, Some(COUNT)).unwrap();
        let rows: Vec<usize> = (0..COUNT).collect();
        let norm = crate::train::batch::statistics(&data, &rows);
        let resident = Resident::new(&data, &norm, &device().autodiff());
        let augment = Some((Augment::default(), 2, 3));
        assert_eq!(bits(resident.images(&rows, augment)), bits(images(&data, &rows, &norm, augment, &Device::flex())));
        // the CPU makes its own
        assert_eq!(Resident::upload(&data, &norm, &device()).is_some(), !kernels::is_cpu(&device()));
    }
}
