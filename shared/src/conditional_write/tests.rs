use super::*;

fn item<const N: usize>(attributes: [(&str, Value); N]) -> Attributes {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn claim() -> ConditionalWrite {
    ConditionalWrite::only_if(Condition::Any(vec![
        Condition::Absent("id"),
        Condition::All(vec![Condition::Is("status", "busy".into()), Condition::Below("until", 9)]),
        Condition::IsNot("hash", "h".into()),
    ]))
    .set("status", "busy")
    .set_once("created", 5)
    .remove(["reason"])
}

#[test]
fn is_rendered_as_dynamodbs_expressions() {
    let Expressions { update, condition, names, values } = claim().expressions();
    assert_eq!(
        condition,
        "(attribute_not_exists(#id) OR (#status = :if0 AND #until < :if1) \
         OR (attribute_not_exists(#hash) OR #hash <> :if2))"
    );
    assert_eq!(update, "SET #created = if_not_exists(#created, :created), #status = :status REMOVE #reason");
    let text = format!("{update} {condition}");
    for placeholder in names.keys().chain(values.keys()) {
        assert!(text.contains(placeholder), "{placeholder} is not used");
    }
    for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || "_#:".contains(c))) {
        assert!(!word.starts_with('#') || names.contains_key(word), "{word} has no name");
        assert!(!word.starts_with(':') || values.contains_key(word), "{word} has no value");
    }
}

#[test]
fn is_made_where_its_rule_holds() {
    let mut new = Attributes::new();
    assert!(claim().apply(&mut new));
    assert_eq!(new, item([("status", "busy".into()), ("created", 5.into())]));

    let held = item([("id", "a".into()), ("status", "busy".into()), ("until", 9.into()), ("hash", "h".into())]);
    let mut same = held.clone();
    assert!(!claim().apply(&mut same));
    assert_eq!(same, held);

    let mut run_out = held;
    run_out.extend(item([("until", 8.into()), ("created", 1.into()), ("reason", "x".into())]));
    assert!(claim().apply(&mut run_out));
    assert_eq!((run_out.get("created"), run_out.get("reason")), (Some(&1.into()), None));
}

#[test]
fn what_was_not_written_is_written_with_the_next() {
    let write = || ConditionalWrite::only_if(Condition::Is("id", "a".into()));
    let earlier = ConditionalWrite::only_if(Condition::Is("id", "b".into()))
        .set("told", 1)
        .set("gone", 1)
        .set("both", 1)
        .remove(["intent", "bot", "gone too"]);
    let later = write().set("bot", 2).set("both", 2).remove(["gone", "gone too"]).after(earlier);
    assert_eq!(
        later.expressions().update,
        "SET #bot = :bot, #both = :both, #told = :told REMOVE #gone, #gone too, #intent"
    );
    let mut row = item([("id", "a".into()), ("intent", 1.into()), ("gone", 1.into())]);
    assert!(later.apply(&mut row));
    assert_eq!(row, item([("id", "a".into()), ("both", 2.into()), ("bot", 2.into()), ("told", 1.into())]));
}

#[test]
fn an_addition_begins_at_zero() {
    let count = ConditionalWrite::only_if(Condition::NotNumber("other")).add("codes", 1);
    let mut row = Attributes::new();
    assert!(count.apply(&mut row) && count.apply(&mut row));
    assert_eq!(row.get("codes"), Some(&2.into()));
    let Expressions { update, values, .. } = count.expressions();
    assert_eq!(update, "SET #codes = if_not_exists(#codes, :zero) + :codes");
    assert!(values.contains_key(":zero"));
}

#[test]
fn what_is_no_number_compares_with_none() {
    let condition = Condition::NotNumber("a");
    for (value, holds) in
        [(None, true), (Some("17".into()), true), (Some(Value::Other), true), (Some(17.into()), false)]
    {
        let row = value.map(|value: Value| ("a".to_owned(), value)).into_iter().collect();
        assert_eq!(condition.holds(&row), holds);
        assert!(!holds || !Condition::Above("a", 0).holds(&row) && !Condition::Below("a", u64::MAX).holds(&row));
    }
    let expressions = ConditionalWrite::only_if(condition).set("b", 1).expressions();
    assert_eq!(expressions.condition, "(attribute_not_exists(#a) OR NOT attribute_type(#a, :if0))");
}

#[test]
fn a_number_that_is_no_time_of_ours_compares_like_any_other() {
    for (text, is_below, is_above) in [
        ("17", false, false),
        ("17.0", false, false),
        ("1.7E1", false, false),
        ("16.999", true, false),
        ("17.001", false, true),
        ("-17.5", true, false),
        ("1E+40", false, true),
        ("1E-40", true, false),
        ("18446744073709551616", false, true),
    ] {
        let row = item([("a", Value::number(text))]);
        assert!(!Condition::NotNumber("a").holds(&row), "{text}");
        assert_eq!(Condition::Below("a", 17).holds(&row), is_below, "{text}");
        assert_eq!(Condition::Above("a", 17).holds(&row), is_above, "{text}");
        assert_eq!(Condition::Is("a", 17.into()).holds(&row), !is_below && !is_above, "{text}");
    }
}

#[test]
fn an_absent_attribute_is_equal_to_nothing_and_below_nothing() {
    let empty = Attributes::new();
    assert!(!Condition::Is("a", 1.into()).holds(&empty));
    assert!(!Condition::Below("a", 1).holds(&empty));
    assert!(Condition::IsNot("a", 1.into()).holds(&empty));
}

#[test]
fn debug_hides_values() {
    assert_eq!(format!("{:?}", item([("access_token", "s3cret".into())])), r#"{"access_token": Text { .. }}"#);
}
