//! The codebooks of a model and the stages that use them.

use crate::codebook::{Codebook, CodebookDigest, CodebookError, CodewordShape, MAX_DIM};

/// The most codebooks of a model.
pub const MAX_CODEBOOKS: usize = 8;
/// The most stages of a model.
pub const MAX_STAGES: usize = 16;
/// The largest shift of a stage.
pub const MAX_SHIFT: u8 = 4;

/// One stage: a codebook whose codewords are scaled by 2^−shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub struct Stage {
    /// Number of the codebook, from 0.
    pub codebook: usize,
    /// 0 to [`MAX_SHIFT`].
    pub shift: u8,
}

impl Stage {
    /// A codeword's number as this stage adds it: scaled by 2^−shift, halves rounded up.
    #[inline]
    pub fn scale(self, value: i16) -> i16 {
        let shift = self.shift.min(MAX_SHIFT);
        let half = (1 << shift) >> 1;
        // With a shift of 0 nothing is added; else the result is at most half as large.
        ((i32::from(value) + half) >> shift) as i16
    }
}

/// Every codebook of a model, regenerated or received, with the stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codebooks {
    latent_dim: usize,
    list: Vec<Codebook>,
    stages: Vec<Stage>,
    digest: CodebookDigest,
}

impl Codebooks {
    /// The codebooks of a model with latents of `latent_dim` numbers.
    ///
    /// # Errors
    /// [`CodebookError::Set`] where names, shapes or stages are not what [`check`] demands.
    pub fn new(
        latent_dim: usize,
        list: Vec<Codebook>,
        stages: Vec<Stage>,
    ) -> Result<Self, CodebookError> {
        let shapes: Vec<_> = list.iter().map(|one| (one.name(), one.shape())).collect();
        check(latent_dim, &shapes, &stages)?;
        Ok(Self::checked(latent_dim, list, stages))
    }

    fn checked(latent_dim: usize, list: Vec<Codebook>, stages: Vec<Stage>) -> Self {
        let mut hasher = blake3::Hasher::new();
        let mut bytes = Vec::new();
        for codebook in &list {
            bytes.clear();
            bytes.extend(codebook.rows().iter().flat_map(|value| value.to_le_bytes()));
            hasher.update(&bytes);
        }
        Self {
            latent_dim,
            list,
            stages,
            digest: CodebookDigest(*hasher.finalize().as_bytes()),
        }
    }

    /// The codebooks in the manifest's order.
    pub fn list(&self) -> &[Codebook] {
        &self.list
    }

    /// The stages in the manifest's order; each names one of [`Self::list`].
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// The codebook of stage number `stage`; `None` past the last stage.
    pub fn of_stage(&self, stage: usize) -> Option<&Codebook> {
        self.list.get(self.stages.get(stage)?.codebook)
    }

    /// Numbers in a latent, D.
    pub fn latent_dim(&self) -> usize {
        self.latent_dim
    }

    /// BLAKE3 of all rows.
    pub fn digest(&self) -> CodebookDigest {
        self.digest
    }
}

/// One codebook, used by one stage.
impl From<Codebook> for Codebooks {
    fn from(codebook: Codebook) -> Self {
        let stage = Stage {
            codebook: 0,
            shift: 0,
        };
        Self::checked(codebook.shape().lead, vec![codebook], vec![stage])
    }
}

/// Whether codebooks of these names and shapes, and these stages, make a model with latents of
/// `latent_dim` numbers: 1 to [`MAX_CODEBOOKS`] codebooks with names of their own (a lower-case
/// letter, then up to 31 of these, digits and `_`), covering 1, 2 or 4 positions on a side, of at
/// most [`MAX_DIM`] numbers; 1 to [`MAX_STAGES`] stages with shifts up to [`MAX_SHIFT`].
///
/// # Errors
/// [`CodebookError::Set`] names what is wrong.
pub fn check(
    latent_dim: usize,
    codebooks: &[(&str, CodewordShape)],
    stages: &[Stage],
) -> Result<(), CodebookError> {
    let wrong = |text: String| Err(CodebookError::Set(text));
    let within = |what: &str, value: usize, low: usize, high: usize| {
        if (low..=high).contains(&value) {
            Ok(())
        } else {
            wrong(format!("{what} is {value}, outside {low}..={high}"))
        }
    };
    within("the number of codebooks", codebooks.len(), 1, MAX_CODEBOOKS)?;
    within("the number of stages", stages.len(), 1, MAX_STAGES)?;
    for (number, &(name, shape)) in codebooks.iter().enumerate() {
        if !is_name(name) {
            return wrong(format!(
                "codebook {number} is named {name:.40?}; a name is a lower-case letter and up to 31 \
                 more, digits or _"
            ));
        }
        if codebooks[..number].iter().any(|&(other, _)| other == name) {
            return wrong(format!("two codebooks are named {name}"));
        }
        if !matches!(shape.cover, 1 | 2 | 4) {
            return wrong(format!(
                "cover of codebook {name} is {}, not 1, 2 or 4",
                shape.cover
            ));
        }
        within(
            &format!("lead of codebook {name}"),
            shape.lead,
            1,
            latent_dim,
        )?;
        within(
            &format!("the length of a codeword of {name}"),
            shape.dim(),
            1,
            MAX_DIM,
        )?;
    }
    for (number, stage) in stages.iter().enumerate() {
        if stage.codebook >= codebooks.len() {
            return wrong(format!(
                "stage {number} uses codebook {}, the last one is {}",
                stage.codebook,
                codebooks.len() - 1
            ));
        }
        let what = format!("shift of stage {number}");
        within(&what, stage.shift.into(), 0, MAX_SHIFT.into())?;
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 32
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codebook(name: &str, cover: usize, lead: usize, rows: usize) -> Codebook {
        let shape = CodewordShape { cover, lead };
        let values = (0..rows * shape.dim()).map(|i| (i % 700) as i16 - 350);
        Codebook::named(name, shape, values.collect()).unwrap()
    }

    fn stage(codebook: usize, shift: u8) -> Stage {
        Stage { codebook, shift }
    }

    #[test]
    fn the_digest_is_that_of_all_rows_in_order() {
        let one = Codebook::new(2, vec![1, -2, 300, 4]).unwrap();
        let expected = blake3::hash(&[1, 0, 0xfe, 0xff, 0x2c, 1, 4, 0]);
        let codebooks = Codebooks::from(one.clone());
        assert_eq!(codebooks.digest().0, *expected.as_bytes());
        assert_eq!(
            CodebookDigest::from_hex(&codebooks.digest().to_hex()),
            Some(codebooks.digest())
        );
        let shape = CodewordShape { cover: 2, lead: 1 };
        let other = Codebook::named("quarter", shape, vec![7, 8, 9, -1]).unwrap();
        let expected = blake3::hash(&[
            1, 0, 0xfe, 0xff, 0x2c, 1, 4, 0, 7, 0, 8, 0, 9, 0, 0xff, 0xff,
        ]);
        let both = Codebooks::new(2, vec![one, other], vec![stage(0, 0)]).unwrap();
        assert_eq!(both.digest().0, *expected.as_bytes());
    }

    #[test]
    fn a_stage_rounds_halves_up() {
        let values = [-8191, -25, -24, -9, -8, -7, -1, 0, 1, 7, 8, 9, 24, i16::MAX];
        for shift in 0..=MAX_SHIFT {
            for value in values {
                let exact = f64::from(value) / f64::from(1 << shift);
                let expected = (exact + 0.5).floor() as i16;
                assert_eq!(stage(0, shift).scale(value), expected, "{value} {shift}");
            }
        }
        assert_eq!(stage(0, 0).scale(i16::MIN), i16::MIN);
    }

    #[test]
    fn stages_find_their_codebook() {
        let list = vec![
            codebook("tile", 4, 3, 5),
            codebook("lead", 1, 4, 6),
            codebook("fine", 1, 8, 7),
            codebook("position", 1, 8, 9),
        ];
        let stages = vec![stage(0, 0), stage(1, 0), stage(2, 1), stage(3, 0)];
        let codebooks = Codebooks::new(8, list, stages).unwrap();
        assert_eq!(codebooks.of_stage(2).unwrap().name(), "fine");
        assert_eq!(codebooks.of_stage(4), None);
    }

    #[test]
    fn what_does_not_go_together_is_refused_by_name() {
        let shape = |cover, lead| CodewordShape { cover, lead };
        let good = [("tile", shape(4, 12)), ("position", shape(1, 48))];
        let stages = [stage(0, 0), stage(1, 4), stage(1, 0)];
        assert_eq!(check(48, &good, &stages), Ok(()));
        let long = "x".repeat(33);
        for (list, stages, word) in [
            (&[][..], &stages[..], "codebooks is 0"),
            (&[("a", shape(1, 1)); 9], &stages, "codebooks is 9"),
            (&good, &[], "stages is 0"),
            (&good, &[stage(0, 0); 17], "stages is 17"),
            (&good, &[stage(2, 0)], "codebook 2"),
            (&good, &[stage(0, 5)], "shift of stage 0 is 5"),
            (
                &[("a", shape(1, 1)); 2],
                &stages,
                "two codebooks are named a",
            ),
            (&[("", shape(1, 1))], &stages[..1], "is named"),
            (&[("../a", shape(1, 1))], &stages[..1], "is named"),
            (&[("9a", shape(1, 1))], &stages[..1], "is named"),
            (&[(&long, shape(1, 1))], &stages[..1], "is named"),
            (
                &[("a", shape(3, 1))],
                &stages[..1],
                "cover of codebook a is 3",
            ),
            (
                &[("a", shape(1, 0))],
                &stages[..1],
                "lead of codebook a is 0",
            ),
            (
                &[("a", shape(1, 49))],
                &stages[..1],
                "lead of codebook a is 49",
            ),
            (&[("a", shape(4, 17))], &stages[..1], "is 272"),
        ] {
            let CodebookError::Set(text) = check(48, list, stages).unwrap_err() else {
                panic!("{word}")
            };
            assert!(text.contains(word), "{text}");
        }
    }
}
