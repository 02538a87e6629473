//! `idp-cli data`: lists databases, buckets and volumes, and deletes or restores retained data.

use std::io::{BufRead, IsTerminal};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use idp_api::claim_binding::Tombstone;
use idp_claim_broker::retention::{RetainedClaim, cli as data};
use idp_core::visible;
use kube::Client;

use crate::terminal::{ask, emit, say};

/// List, delete or restore retained data of databases, buckets and volumes
#[derive(Subcommand)]
pub(crate) enum DataCommand {
    /// List all claims, and whether an application uses them
    List(ListArgs),
    /// Delete the data of a claim that no application uses, after its grace period
    Delete(DeleteArgs),
    /// Cancel a deletion before the grace period ends
    Undelete(ClaimArgs),
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Namespace; default: the one of the kubeconfig's context
    #[arg(long, short)]
    namespace: Option<String>,
    /// All namespaces
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    all_namespaces: bool,
}

#[derive(Args)]
pub(crate) struct ClaimArgs {
    /// Name of the claim, as `data list` shows it
    name: String,
    /// Namespace; default: the one of the kubeconfig's context
    #[arg(long, short)]
    namespace: Option<String>,
}

#[derive(Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    claim: ClaimArgs,
    /// The claim's name again, instead of the prompt
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
            let claims = data::list(&client, &kinds, namespace).await?;
            emit(&table(&claims))?;
            if claims.is_empty() {
                match namespace {
                    Some(namespace) => say(&format!("No claims in the namespace {namespace}."))?,
                    None => say("No claims.")?,
                }
            }
        }
        DataCommand::Delete(args) => {
            let name = args.claim.name.as_str();
            let namespace = args.claim.namespace.as_deref().unwrap_or(&default);
            confirm(namespace, name, args.confirm.as_deref())?;
            let tombstone = data::delete(&client, &kinds, namespace, name).await?;
            say(&deletion(namespace, name, &tombstone, jiff::Timestamp::now()))?;
        }
        DataCommand::Undelete(args) => {
            let namespace = args.namespace.as_deref().unwrap_or(&default);
            data::undelete(&client, &kinds, namespace, &args.name).await?;
            say(&format!("The data of {} are retained.", args.name))?;
        }
    }
    Ok(())
}

/// Deleting data needs the name twice, as a confirmation.
fn confirm(namespace: &str, name: &str, given: Option<&str>) -> Result<()> {
    let given = match given {
        Some(given) => given.to_owned(),
        None if std::io::stdin().is_terminal() => {
            ask(&format!(
                "This deletes the data of {name} in {namespace} permanently. Type the name to continue: "
            ))?;
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line)?;
            line.trim().to_owned()
        }
        None => bail!("Nothing was deleted. Confirm with --confirm {name}."),
    };
    if given != name {
        bail!("Nothing was deleted: {given:?} is not {name:?}.");
    }
    Ok(())
}

/// What happens to the data after a request to delete them.
fn deletion(namespace: &str, name: &str, tombstone: &Tombstone, now: jiff::Timestamp) -> String {
    let until = &tombstone.until;
    let is_over = until.parse::<jiff::Timestamp>().is_ok_and(|until| until <= now);
    if is_over {
        return format!("The data of {name} are being deleted: the grace period ended at {until}.");
    }
    let keep = if tombstone.by_class {
        "Their class has deletionPolicy: Delete. To keep them, name them in the application again before that.".to_owned()
    } else {
        format!("To keep them, run: idp-cli data undelete {name} -n {namespace}")
    };
    format!("The data of {name} will be deleted after {until}. {keep}")
}

fn table(claims: &[RetainedClaim]) -> String {
    let mut rows = vec![["NAMESPACE", "NAME", "KIND", "APPLICATION", "STATE"].map(str::to_owned)];
    rows.extend(claims.iter().map(|claim| {
        [
            claim.namespace.clone(),
            claim.claim.name.clone(),
            claim.kind.to_string(),
            claim.claim.application.clone(),
            state(claim),
        ]
        .map(|text| visible::line(&text).into_owned())
    }));
    if claims.is_empty() {
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

fn state(retained: &RetainedClaim) -> String {
    match &retained.claim.tombstone {
        _ if retained.claim.deleting => "being deleted".to_owned(),
        None => "in use".to_owned(),
        Some(tombstone) if tombstone.by_class => {
            format!(
                "deleted after {}, by its class {}",
                tombstone.until, retained.claim.class
            )
        }
        Some(tombstone) if tombstone.delete => format!("deleted after {}", tombstone.until),
        Some(tombstone) => format!("retained since {}", tombstone.since),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_is_announced_with_its_time_and_how_to_keep_the_data() {
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
        let message = |by_class, now| deletion("team", "shop-orders", &tombstone(by_class), now);
        assert!(message(false, before).contains("data undelete shop-orders -n team"));
        assert!(
            message(true, before).contains("deletionPolicy: Delete")
                && !message(true, before).contains("undelete")
        );
        assert!(
            message(false, after).contains("are being deleted")
                && !message(false, after).contains("undelete")
        );
    }
}
