//! The members of an object by their paths.

use crate::protocol::fields::{Field, Refusal, nearest};

/// The members of an object that are not null, each named by its path.
pub(super) struct Members<'a> {
    name: String,
    pub(super) members: Vec<Field<'a>>,
}

impl<'a> Members<'a> {
    pub(super) fn of(field: &Field<'a>, known: &[&'static str]) -> Result<Self, Refusal> {
        let mut members = Vec::new();
        for mut member in field.object(r#"an object such as {"type": "json_schema", ...}"#)? {
            let path = format!("{}.{}", field.name, member.name);
            if !known.contains(&member.name.as_str()) {
                let remedy = match nearest(&member.name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it may have {}", known.join(", ")),
                };
                return Err(Refusal::unknown(&path, &remedy));
            }
            member.name = path;
            if !member.is_null() {
                members.push(member);
            }
        }
        Ok(Self { name: field.name.clone(), members })
    }

    pub(super) fn get(&self, name: &str) -> Option<&Field<'a>> {
        let path = format!("{}.{name}", self.name);
        self.members.iter().find(|member| member.name == path)
    }

    pub(super) fn demand(&self, name: &str) -> Result<&Field<'a>, Refusal> {
        self.get(name).ok_or_else(|| self.missing(name))
    }

    pub(super) fn missing(&self, name: &str) -> Refusal {
        Refusal::missing(&format!("{}.{name}", self.name), "give it")
    }

    pub(super) fn kind(&self) -> Result<String, Refusal> {
        self.demand("type")?.string()
    }

    /// The type of an object whose other members are not known yet.
    pub(super) fn kind_of(field: &Field<'_>) -> Result<String, Refusal> {
        let members = field.object(r#"an object such as {"type": ...}"#)?;
        let path = format!("{}.type", field.name);
        match members.into_iter().find(|member| member.name == "type") {
            Some(kind) => Field { name: path, value: kind.value }.string(),
            None => Err(Refusal::missing(&path, "give it")),
        }
    }
}
