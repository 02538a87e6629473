//! `idp-cli data`: what is kept of databases, buckets and volumes, and the act that lets it go.

use std::io::{BufRead, IsTerminal};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use idp_api::claim_binding::Tombstone;
use idp_claim_broker::data::{self, Held};
use idp_core::visible;
use kube::Client;

use crate::terminal::{ask, emit, say};

/// What is kept of databases, buckets and volumes.
#[derive(Subcommand)]
pub(crate) enum DataCommand {
    /// Lists all that holds data, and whether anybody wants it.
    List(ListArgs),
    /// Lets the data of a claim that no application wants be deleted, once its grace period is over.
    Delete(DeleteArgs),
    /// Takes a deletion back, as long as the grace period lasts.
    Undelete(ClaimArgs),
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Namespace. Default: that of the kubeconfig's context.
    #[arg(long, short)]
    namespace: Option<String>,
    /// Every namespace.
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    all_namespaces: bool,
}

#[derive(Args)]
pub(crate) struct ClaimArgs {
    /// Name of the claim, as `data list` shows it.
    name: String,
    /// Namespace. Default: that of the kubeconfig's context.
    #[arg(long, short)]
    namespace: Option<String>,
}

#[derive(Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    claim: ClaimArgs,
    /// The claim's name once more, instead of being asked for it.
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(client: Client, command: &DataCommand) -> Result<()> {
    let kinds = data::kinds(&client).await?;
    let default = client.default_namespace().to_owned();
    match command {
        DataCommand::List(args) => {
            let namespace = args.namespace.as_deref().unwrap_or(&default);
            let namespace = (!args.all_namespaces).then_some(namespace);
            let held = data::list(&client, &kinds, namespace).await?;
            emit(&table(&held))?;
            if held.is_empty() {
                match namespace {
                    Some(namespace) => say(&format!("Nothing holds data in the namespace {namespace}."))?,
                    None => say("Nothing holds data.")?,
                }
            }
        }
        DataCommand::Delete(args) => {
            let name = args.claim.name.as_str();
            let namespace = args.claim.namespace.as_deref().unwrap_or(&default);
            confirm(namespace, name, args.confirm.as_deref())?;
            let tombstone = data::delete(&client, &kinds, namespace, name).await?;
            say(&ordered(namespace, name, &tombstone, jiff::Timestamp::now()))?;
        }
        DataCommand::Undelete(args) => {
            let namespace = args.namespace.as_deref().unwrap_or(&default);
            data::undelete(&client, &kinds, namespace, &args.name).await?;
            say(&format!("The data of {} are kept.", args.name))?;
        }
    }
    Ok(())
}

/// Deleting data takes the name twice: once to say it, once to mean it.
fn confirm(namespace: &str, name: &str, given: Option<&str>) -> Result<()> {
    let given = match given {
        Some(given) => given.to_owned(),
        None if std::io::stdin().is_terminal() => {
            ask(&format!(
                "This deletes the data of {name} in {namespace} for good. Write its name to go on: "
            ))?;
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line)?;
            line.trim().to_owned()
        }
        None => bail!("nothing was deleted: add --confirm {name}"),
    };
    if given != name {
        bail!("nothing was deleted: {given:?} is not {name:?}");
    }
    Ok(())
}

/// What becomes of data that somebody has said may go.
fn ordered(namespace: &str, name: &str, tombstone: &Tombstone, now: jiff::Timestamp) -> String {
    let until = &tombstone.until;
    let is_over = until.parse::<jiff::Timestamp>().is_ok_and(|until| until <= now);
    if is_over {
        return format!("The data of {name} are being deleted: they were kept until {until}.");
    }
    let way_back = if tombstone.by_class {
        "their class says so (deletionPolicy: Delete). To keep them, name them in the application again before that.".to_owned()
    } else {
        format!("nobody can delete them before. To keep them: idp-cli data undelete {name} -n {namespace}")
    };
    format!("The data of {name} will be deleted after {until}; {way_back}")
}

fn table(held: &[Held]) -> String {
    let mut rows = vec![["NAMESPACE", "NAME", "KIND", "APPLICATION", "STATE"].map(str::to_owned)];
    rows.extend(held.iter().map(|held| {
        [
            held.namespace.clone(),
            held.claim.name.clone(),
            held.kind.to_string(),
            held.claim.application.clone(),
            state(held),
        ]
        .map(|text| visible::line(&text).into_owned())
    }));
    if held.is_empty() {
        return String::new();
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..4).map(width).collect();
    rows.iter()
        .map(|[namespace, name, kind, application, state]| {
            format!(
                "{namespace:0$}  {name:1$}  {kind:2$}  {application:3$}  {state}\n",
                widths[0], widths[1], widths[2], widths[3]
            )
        })
        .collect()
}

fn state(held: &Held) -> String {
    match &held.claim.tombstone {
        _ if held.claim.deleting => "being deleted".to_owned(),
        None => "in use".to_owned(),
        Some(tombstone) if tombstone.by_class => {
            format!(
                "deleted after {}, by its class {}",
                tombstone.until, held.claim.class
            )
        }
        Some(tombstone) if tombstone.delete => format!("deleted after {}", tombstone.until),
        Some(tombstone) => format!("kept since {}, wanted by nobody", tombstone.since),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_deletes_when_and_what_keeps_it_is_told() {
        let tombstone = |by_class| Tombstone {
            since: "2026-01-01T00:00:00Z".into(),
            until: "2026-01-08T00:00:00Z".into(),
            delete: true,
            by_class,
        };
        let (before, after) = (
            "2026-01-02T00:00:00Z".parse().unwrap(),
            "2026-01-08T00:00:00Z".parse().unwrap(),
        );
        let told = |by_class, now| ordered("team", "shop-orders", &tombstone(by_class), now);
        assert!(told(false, before).contains("data undelete shop-orders -n team"));
        assert!(
            told(true, before).contains("deletionPolicy: Delete") && !told(true, before).contains("undelete")
        );
        assert!(told(false, after).contains("are being deleted") && !told(false, after).contains("undelete"));
    }
}
