//! Fields that the files write in a way of their own.

/// `true` is 1.
pub(super) mod bit {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(in super::super) fn serialize<S: Serializer>(
        value: &bool,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8((*value).into())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<bool, D::Error> {
        match u8::deserialize(deserializer)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(D::Error::custom(format_args!("{other} is neither 0 nor 1"))),
        }
    }
}

/// `[4096, 1024]` is `4096/1024`.
pub(super) mod codewords {
    use std::fmt::Write as _;

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(in super::super) fn serialize<S: Serializer>(
        stages: &[u32],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut text = String::new();
        for (stage, codewords) in stages.iter().enumerate() {
            let slash = if stage == 0 { "" } else { "/" };
            let _ = write!(text, "{slash}{codewords}");
        }
        serializer.serialize_str(&text)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u32>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let stages = text.split('/').filter(|_| !text.is_empty());
        stages
            .map(|stage| {
                let error = |_| {
                    D::Error::custom(format_args!("{text:?} is no list of numbers between \"/\""))
                };
                stage.parse().map_err(error)
            })
            .collect()
    }
}
