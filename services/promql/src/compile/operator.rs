//! Operators with two operands.

use promql_parser::parser::{
    BinModifier, BinaryExpr, LabelModifier, VectorMatchCardinality,
    token::{self, TokenId},
    value::ValueType,
};

use super::Compiler;
use crate::{
    Error,
    plan::{Binary, Cardinality, Grouping, Matching, Operator, SetOperator},
};

impl Compiler {
    pub(super) fn binary(self, binary: &BinaryExpr) -> Result<Binary, Error> {
        let default = BinModifier::default();
        let modifier = binary.modifier.as_ref().unwrap_or(&default);
        if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
            let text = "the modifier `fill`, which is experimental in Prometheus,";
            return Err(Error::Unsupported(text.to_owned()));
        }
        let on = match &modifier.matching {
            Some(LabelModifier::Include(labels)) => Grouping::By(labels.labels.clone()),
            Some(LabelModifier::Exclude(labels)) => Grouping::Without(labels.labels.clone()),
            None => Grouping::Without(Vec::new()),
        };
        if let Some(operator) = set_operator(binary.op.id()) {
            let (left, right) = (self.vector(&binary.lhs)?, self.vector(&binary.rhs)?);
            return Ok(Binary::Sets { operator, left, right, on });
        }
        let operator = operator(binary.op.id())
            .ok_or_else(|| Error::Unsupported(format!("the operator {}", binary.op)))?;
        let (cardinality, include) = match &modifier.card {
            VectorMatchCardinality::ManyToOne(labels) => {
                (Cardinality::ManyToOne, &labels.labels[..])
            }
            VectorMatchCardinality::OneToMany(labels) => {
                (Cardinality::OneToMany, &labels.labels[..])
            }
            _ => (Cardinality::OneToOne, &[][..]),
        };
        let both_vectors =
            [&binary.lhs, &binary.rhs].iter().all(|side| side.value_type() == ValueType::Vector);
        if !both_vectors && (modifier.matching.is_some() || cardinality != Cardinality::OneToOne) {
            return Err(Error::Parse(
                "vector matching only allowed between instant vectors".to_owned(),
            ));
        }
        Ok(Binary::Numbers {
            operator,
            returns_bool: modifier.return_bool,
            left: self.node(&binary.lhs)?,
            right: self.node(&binary.rhs)?,
            matching: Matching { on, cardinality, include: include.to_vec() },
        })
    }
}

fn set_operator(id: TokenId) -> Option<SetOperator> {
    Some(match id {
        token::T_LAND => SetOperator::And,
        token::T_LOR => SetOperator::Or,
        token::T_LUNLESS => SetOperator::Unless,
        _ => return None,
    })
}

fn operator(id: TokenId) -> Option<Operator> {
    Some(match id {
        token::T_ADD => Operator::Add,
        token::T_SUB => Operator::Subtract,
        token::T_MUL => Operator::Multiply,
        token::T_DIV => Operator::Divide,
        token::T_MOD => Operator::Modulo,
        token::T_POW => Operator::Power,
        token::T_ATAN2 => Operator::Atan2,
        token::T_EQLC => Operator::Equal,
        token::T_NEQ => Operator::NotEqual,
        token::T_GTR => Operator::Greater,
        token::T_LSS => Operator::Less,
        token::T_GTE => Operator::GreaterOrEqual,
        token::T_LTE => Operator::LessOrEqual,
        _ => return None,
    })
}
