//! The averaged network on nodules that don't train, after each epoch; the best epoch is kept where it is asked for.

use super::best::Best;
use super::config::Choose;
use super::evaluate::probabilities;
use super::log::Validated;
use super::step::Trainer;
use crate::dataset::crops::Dataset;
use crate::dataset::nodules::Nodules;
use crate::error::Result;
use crate::metrics::Scored;
use crate::metrics::calibration::negative_log_likelihood;
use crate::metrics::classification::macro_auc;
use crate::volume::crop::Normalisation;

impl Trainer {
    /// Scores the averaged network, as it would be exported now, after epoch `epoch`.
    ///
    /// # Errors
    /// When the device fails, or the task does not know a row's class.
    pub fn validate(
        mut self,
        data: &Dataset,
        train: &[usize],
        norm: &Normalisation,
        on: Nodules<'_>,
        epoch: usize,
    ) -> Result<(Self, Validated)> {
        let network = self.averaged(data, train, norm)?;
        let scored = Scored {
            truth: self.config.task.labels(&on.data.rows, on.rows)?,
            probabilities: probabilities(&network, on.data, on.rows, norm, self.config.diameter)?,
            patients: on.rows.iter().map(|&i| on.data.rows[i].patient_id.clone()).collect(),
            decision: network.head.decision(),
        };
        let right = scored.answers().iter().zip(&scored.truth).filter(|(answer, truth)| answer == truth).count();
        let found = Validated {
            loss: negative_log_likelihood(&scored),
            accuracy: right as f64 / scored.len() as f64,
            macro_auc: macro_auc(&scored, self.config.task.classes().len()),
        };
        let better = self.best.as_ref().is_none_or(|best| found.loss < best.loss);
        if self.config.choose == Choose::Best && better {
            self.best = Some(Best { epoch, loss: found.loss, network });
        }
        Ok((self, found))
    }
}
