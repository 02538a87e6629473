//! The page.

use std::{borrow::Cow, time::Duration};

use crate::info::{Info, duration};

/// The page, with placeholders `{{name}}`.
const TEMPLATE: &str = include_str!("page.html");

/// The page. All external values are escaped, even names of pods, whose format could change.
pub(crate) fn render(info: &Info<'_>) -> String {
    fill(TEMPLATE, |name| match name {
        "application" => info.application.into(),
        "environment" => info.environment.into(),
        "namespace" => info.namespace.into(),
        "pod" => info.pod.into(),
        "node" => info.node.into(),
        "version" => info.version.into(),
        "title" => info.title.into(),
        "message" => info.message.into(),
        "uptime" => duration(Duration::from_secs(info.uptime_seconds)).into(),
        "requests" => info.requests_served.to_string().into(),
        _ => Cow::Borrowed(""),
    })
}

/// Fills the template in one pass, so that a value with `{{` is not a placeholder.
fn fill<'a>(template: &str, value: impl Fn(&str) -> Cow<'a, str>) -> String {
    let mut page = String::with_capacity(template.len() + 512);
    let mut rest = template;
    while let Some((before, name, after)) = next_place(rest) {
        page.push_str(before);
        escape(&value(name), &mut page);
        rest = after;
    }
    page.push_str(rest);
    page
}

fn next_place(text: &str) -> Option<(&str, &str, &str)> {
    let (before, after) = text.split_once("{{")?;
    let (name, rest) = after.split_once("}}")?;
    Some((before, name, rest))
}

/// Appends escaped text, for content and quoted attributes.
fn escape(text: &str, page: &mut String) {
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            other => page.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info<'a>(message: &'a str) -> Info<'a> {
        Info {
            application: "shop",
            environment: "local",
            namespace: "sample",
            pod: "shop-1",
            node: "node-1",
            version: "0.1.0",
            title: "Hello",
            message,
            uptime_seconds: 61,
            requests_served: 7,
        }
    }

    #[test]
    fn every_place_in_the_template_has_a_value() {
        let page = render(&info("a message"));
        for value in [
            "shop",
            "local",
            "sample",
            "shop-1",
            "node-1",
            "0.1.0",
            "Hello",
            "a message",
            "1 min 1 s",
        ] {
            assert!(page.contains(value), "{value} is missing");
        }
        assert!(!page.contains("{{") && !page.contains("}}"));
        assert!(!page.contains("<dd></dd>"), "a placeholder has no value");
    }

    #[test]
    fn values_are_text_and_never_markup() {
        let page = render(&info(r#"<script>alert('&"')</script> {{pod}}"#));
        assert!(page.contains("&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt; {{pod}}"));
    }
}
