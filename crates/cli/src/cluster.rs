//! `idp-cli up`, `down`, `status`, `kubeconfig` and `kubectl`: the local cluster.

use std::io::{BufRead, IsTerminal};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use idp_cluster::{Addon, Cluster, Nodes, Provider, Purge, UpOptions};

use crate::{
    connect::ConnectArgs,
    platform,
    progress::Terminal,
    terminal::{ask, say},
};

/// How to start a cluster.
#[derive(Args)]
pub(crate) struct UpArgs {
    /// Kind of cluster.
    #[arg(long, value_enum, default_value_t = ProviderName::Embedded)]
    provider: ProviderName,
    /// Nodes: `real`, `kwok` or `kwok=N` for N fake nodes, `both` or `both=N`. Default: `real` if this machine supports
    /// it.
    #[arg(long, value_parser = nodes)]
    nodes: Option<Nodes>,
    /// Peers to run beside the embedded cluster, separated by commas: `localstack`, `external-secrets`,
    /// `cert-manager`, `crossplane`. They stay with the cluster until it is purged.
    #[arg(long = "with", value_delimiter = ',', value_name = "ADD-ON")]
    addons: Vec<Addon>,
    /// Install missing Debian packages without asking.
    #[arg(long, short)]
    yes: bool,
    /// Do not start controllers. By default, the controllers in the folder of idp-cli run with the cluster.
    #[arg(long)]
    no_controllers: bool,
}

/// Kind of cluster.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProviderName {
    /// Processes on this machine.
    Embedded,
    /// kind, in a container engine.
    Kind,
    /// The current context of the kubeconfig, or the one that --context names.
    Existing,
}

/// How to stop a cluster.
#[derive(Args)]
pub(crate) struct DownArgs {
    /// Also delete its data.
    #[arg(long)]
    purge: bool,
}

/// Arguments of kubectl.
#[derive(Args)]
pub(crate) struct KubectlArgs {
    /// Arguments for kubectl.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

fn nodes(text: &str) -> Result<Nodes, String> {
    let (kind, count) = text
        .split_once('=')
        .map_or((text, None), |(kind, count)| (kind, Some(count)));
    let count = count.map(|count| count.parse().map_err(|_| format!("{count:?} is not a number")));
    let count: Option<usize> = count.transpose()?;
    match (kind, count) {
        ("real", None) => Ok(Nodes::Real),
        ("kwok", count) => Ok(Nodes::Kwok(count.unwrap_or(3))),
        ("both", count) => Ok(Nodes::Both {
            kwok: count.unwrap_or(3),
        }),
        _ => Err("write real, kwok, kwok=N, both or both=N".to_owned()),
    }
}

/// Starts the cluster.
pub(crate) async fn up(connect: &ConnectArgs, args: &UpArgs) -> Result<()> {
    let name = connect.cluster.as_str();
    let provider = match args.provider {
        ProviderName::Embedded => Provider::Embedded,
        ProviderName::Kind => Provider::Kind,
        ProviderName::Existing if connect.kubeconfig.is_some() => {
            bail!(
                "--kubeconfig cannot be used with --provider existing: set KUBECONFIG instead, and choose a context with --context"
            );
        }
        ProviderName::Existing => Provider::Existing {
            context: connect.context.clone(),
        },
    };
    if connect.context.is_some() && args.provider != ProviderName::Existing {
        bail!("--context can only be used with --provider existing: other clusters have a single context");
    }
    let nodes = args.nodes.unwrap_or_else(Nodes::default_here);
    if provider == Provider::Embedded && !matches!(nodes, Nodes::Kwok(_)) {
        packages(args.yes).await?;
    }
    let addons = match provider {
        Provider::Embedded => idp_cluster::addons(name, &args.addons)?,
        _ => args.addons.clone(),
    };
    let options = UpOptions {
        name: name.to_owned(),
        provider: provider.clone(),
        nodes,
        manifests: platform::manifests(&addons)?,
        addons: addons.clone(),
        ..UpOptions::default()
    };
    let cluster = idp_cluster::up(&options, &Terminal).await?;
    if provider == Provider::Embedded && !args.no_controllers {
        start_controllers(&cluster, &addons).await?;
    }
    let selection = if name == idp_cluster::DEFAULT_NAME {
        String::new()
    } else {
        format!(" --cluster {name}")
    };
    say(&format!("The cluster {} is ready.", cluster.name()))?;
    if let Some(file) = cluster.kubeconfig_file() {
        say(&format!("  kubeconfig  {}", file.display()))?;
        say(&format!(
            "  kubectl     idp-cli{selection} kubectl get webapplications -A"
        ))?;
    }
    say(&format!("  to stop     idp-cli{selection} down"))?;
    Ok(())
}

/// Starts the controllers that work with these add-ons and whose programs are in the folder of this one.
async fn start_controllers(cluster: &Cluster, addons: &[Addon]) -> Result<()> {
    let program = std::env::current_exe()?;
    let folder = program.parent().context("cannot locate the folder of idp-cli")?;
    let (there, missing): (Vec<_>, Vec<_>) = platform::controllers(addons, folder)
        .into_iter()
        .partition(|controller| controller.program.is_file());
    idp_cluster::start_controllers(cluster, &there).await?;
    for controller in &there {
        say(&format!("Controller {} is running.", controller.name))?;
    }
    for controller in &missing {
        say(&format!(
            "Controller not started: {} does not exist. Build it with `cargo build`, then run `idp-cli up` again.",
            controller.program.display()
        ))?;
    }
    Ok(())
}

/// Offers to install the packages that a real node requires.
async fn packages(yes: bool) -> Result<()> {
    let missing = idp_cluster::missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    if !yes
        && !agreed(&format!(
            "A real node requires {}. Install with apt-get?",
            missing.join(", ")
        ))?
    {
        bail!(
            "a real node requires {}: install them, add --yes, or use fake nodes with --nodes kwok",
            missing.join(", ")
        );
    }
    idp_cluster::install_packages(&Terminal).await
}

/// Asks for confirmation on the terminal; without a terminal, the answer is no.
fn agreed(question: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    ask(&format!("{question} [y/N] "))?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Stops the cluster.
pub(crate) async fn down(name: &str, args: &DownArgs) -> Result<()> {
    idp_cluster::down(
        name,
        if args.purge {
            Purge::Everything
        } else {
            Purge::KeepData
        },
    )
    .await?;
    let data = if args.purge {
        "Its data is deleted."
    } else {
        "Its data is kept for the next `idp-cli up`."
    };
    say(&format!("The cluster {name} is stopped. {data}"))?;
    Ok(())
}

/// Shows the components of the cluster.
pub(crate) fn status(name: &str) -> Result<()> {
    let components = idp_cluster::status(name)?;
    if components.is_empty() {
        say(&format!(
            "The cluster {name} is not running. Start it with `idp-cli up`."
        ))?;
        return Ok(());
    }
    say(&format!(
        "{:<29} {:<8} {:>8}  {:<32} LOG",
        "COMPONENT", "STATE", "PID", "ENDPOINT"
    ))?;
    for component in &components {
        let state = if component.running { "running" } else { "stopped" };
        let log = component.log.display();
        say(&format!(
            "{:<29} {state:<8} {:>8}  {:<32} {log}",
            component.name, component.pid, component.endpoint
        ))?;
    }
    let ended = components.iter().filter(|component| !component.running).count();
    if ended > 0 {
        bail!(
            "{ended} components have stopped. See their logs for the cause; start them again with `idp-cli up`"
        );
    }
    Ok(())
}

/// Prints the path of the kubeconfig.
pub(crate) fn kubeconfig(name: &str) -> Result<()> {
    let file = Cluster::open(name)?
        .kubeconfig_file()
        .context("this cluster has no separate kubeconfig")?;
    say(&format!("{}", file.display()))?;
    Ok(())
}

/// Runs kubectl and exits with its status.
pub(crate) fn kubectl(name: &str, args: &KubectlArgs) -> Result<()> {
    let status = Cluster::open(name)?
        .kubectl()?
        .args(&args.args)
        .status()
        .context("cannot run kubectl")?;
    std::process::exit(status.code().unwrap_or(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_read() {
        assert_eq!(nodes("real"), Ok(Nodes::Real));
        assert_eq!(nodes("kwok=7"), Ok(Nodes::Kwok(7)));
        assert_eq!(nodes("both"), Ok(Nodes::Both { kwok: 3 }));
        for wrong in ["kwok=x", "real=2", "all"] {
            assert!(nodes(wrong).is_err(), "{wrong}");
        }
    }
}
