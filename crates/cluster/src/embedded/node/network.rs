//! The network of a real node: its own namespace, linked to the host by a pair of interfaces.
//!
//! The namespace keeps kube-proxy's tables, CNI's interfaces, addresses and kernel settings apart from the host's and
//! from other clusters'. They disappear with it. The host reaches pods and Services by two routes through the link.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use rustix::mount::{UnmountFlags, unmount};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::mounts;
use crate::embedded::addresses::Index;

/// The file on which the namespace is mounted, which keeps it alive.
pub(crate) fn netns(index: Index) -> PathBuf {
    index.run_dir().join("netns")
}

/// Creates the namespace, the link and the routes if they are missing.
pub(crate) async fn ensure(index: Index) -> Result<()> {
    let interface = index.interface();
    if Path::new("/sys/class/net").join(&interface).exists() && is_mount_point(&netns(index)) {
        return Ok(());
    }
    remove(index).await; // an incomplete network
    let path = netns(index);
    std::fs::create_dir_all(index.run_dir())?;
    std::fs::write(&path, "")?;
    run(
        Command::new("unshare")
            .arg(format!("--net={}", path.display()))
            .arg("true"),
        "",
    )
    .await?;
    let (host, node) = (index.host_ip(), index.node_ip());
    let namespace = path.display();
    let host_side = format!(
        "link add {interface} type veth peer name eth0 netns {namespace}\n\
         addr add {host}/30 dev {interface}\n\
         link set {interface} up\n"
    );
    run(Command::new("ip").args(["-batch", "-"]), &host_side).await?;
    let node_side = format!(
        "link set lo up\n\
         addr add {node}/30 dev eth0\n\
         link set eth0 up\n\
         route add default via {host}\n"
    );
    run(inside(index).args(["ip", "-batch", "-"]), &node_side).await?;
    let routes = format!(
        "route add {} via {node}\nroute add {} via {node}\n",
        index.pod_cidr(),
        index.service_cidr()
    );
    run(Command::new("ip").args(["-batch", "-"]), &routes).await?;
    // Pods are routed, not bridged. Loose reverse-path checks: a Service's address belongs to no interface.
    let settings = "echo 1 > /proc/sys/net/ipv4/ip_forward\n\
         echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter\n\
         echo 0 > /proc/sys/net/ipv4/conf/default/rp_filter\n\
         echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter\n";
    run(inside(index).args(["sh", "-e"]), settings).await?;
    run(Command::new("nft").args(["-f", "-"]), &host_table(index)).await
}

/// Removes everything that `ensure` created. Does nothing if it does not exist.
pub(crate) async fn remove(index: Index) {
    let interface = index.interface();
    let quiet = |command: &mut Command| {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
    };
    // The routes disappear with the interface. Each of these may not exist.
    let _ = quiet(Command::new("ip").args(["link", "delete", &interface])).await;
    let _ = quiet(Command::new("nft").args(["delete", "table", "ip", &interface])).await;
    let path = netns(index);
    while is_mount_point(&path) && unmount(&path, UnmountFlags::DETACH).is_ok() {}
    let _ = std::fs::remove_file(path);
}

/// The host's nftables table: pods reach other networks under the host's address. No other network reaches the pods,
/// their Services or the API server, although the host forwards packets.
fn host_table(index: Index) -> String {
    let interface = index.interface();
    let (network, services, host) = (index.cluster_cidr(), index.service_cidr(), index.host_ip());
    format!(
        "add table ip {interface}\n\
         flush table ip {interface}\n\
         table ip {interface} {{\n\
           chain postrouting {{\n\
             type nat hook postrouting priority srcnat; policy accept;\n\
             ip saddr {network} ip daddr != {network} oifname != \"{interface}\" masquerade\n\
           }}\n\
           chain input {{\n\
             type filter hook input priority filter; policy accept;\n\
             ip daddr {host} iifname != {{ \"lo\", \"{interface}\" }} drop\n\
           }}\n\
           chain forward {{\n\
             type filter hook forward priority filter; policy accept;\n\
             ct state established,related accept\n\
             ip daddr {{ {network}, {services} }} iifname != \"{interface}\" drop\n\
           }}\n\
         }}\n"
    )
}

/// The CNI configuration: each pod has its own link, so that kube-proxy's rules see all its traffic.
pub(crate) fn cni_config(index: Index, data_dir: &Path) -> String {
    serde_json::json!({
        "cniVersion": "0.4.0",
        "name": index.interface(),
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": false,
                "ipam": {
                    "type": "host-local",
                    "dataDir": data_dir,
                    "ranges": [[{ "subnet": index.pod_cidr() }]],
                    "routes": [{ "dst": "0.0.0.0/0" }],
                },
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    })
    .to_string()
}

/// A command prefix that runs inside the cluster's network.
fn inside(index: Index) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", netns(index).display())).arg("--");
    command
}

async fn run(command: &mut Command, input: &str) -> Result<()> {
    let shown = format!("{:?}", command.as_std());
    let work = async {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).await?;
        }
        child.wait_with_output().await
    };
    let output = work.await.with_context(|| format!("running {shown}"))?;
    if !output.status.success() {
        bail!(
            "{shown} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

fn is_mount_point(path: &Path) -> bool {
    mounts::under(path).is_ok_and(|mounts| !mounts.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_contains_this_clusters_addresses_only() {
        let table = host_table(Index(5));
        assert!(table.contains("table ip idp5 {") && table.contains("10.69.0.0/16"));
    }

    #[test]
    fn pods_get_the_clusters_addresses() {
        let config: serde_json::Value = serde_json::from_str(&cni_config(Index(2), Path::new("/x"))).unwrap();
        assert_eq!(
            config["plugins"][0]["ipam"]["ranges"][0][0]["subnet"],
            "10.66.0.0/24"
        );
    }
}
