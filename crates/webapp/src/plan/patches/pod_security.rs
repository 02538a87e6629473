//! The restricted Pod Security Standard. A patch that violates it is rejected here, with the patch's path, not later by the
//! admission of pods.

use k8s_openapi::api::core::v1::{
    AppArmorProfile, Container, LifecycleHandler, PodSpec, Probe, SELinuxOptions, SeccompProfile,
    SecurityContext, Sysctl, Volume, WindowsSecurityContextOptions,
};

type Check = Result<(), String>;

/// SELinux types that are as confined as the default.
const SE_LINUX_TYPES: [&str; 5] = [
    "",
    "container_t",
    "container_init_t",
    "container_kvm_t",
    "container_engine_t",
];
/// Sysctls that affect only the pod.
const SYSCTLS: [&str; 10] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
];

/// Checks the pod. On `Err`, what violates the standard.
pub(super) fn check(pod: &PodSpec) -> Check {
    for (name, on) in [
        ("hostNetwork", pod.host_network),
        ("hostPID", pod.host_pid),
        ("hostIPC", pod.host_ipc),
    ] {
        require(on != Some(true), || format!("{name} is true"))?;
    }
    let context = pod.security_context.clone().unwrap_or_default();
    require(context.run_as_user != Some(0), || "runAsUser is 0".to_owned())?;
    require(context.run_as_non_root != Some(false), || {
        "runAsNonRoot is false".to_owned()
    })?;
    seccomp(context.seccomp_profile.as_ref(), true)?;
    confined(
        context.app_armor_profile.as_ref(),
        context.se_linux_options.as_ref(),
        context.windows_options.as_ref(),
    )?;
    context.sysctls.iter().flatten().try_for_each(sysctl)?;
    pod.volumes.iter().flatten().try_for_each(volume)?;
    require(
        pod.ephemeral_containers.as_ref().is_none_or(Vec::is_empty),
        || "ephemeralContainers are set".to_owned(),
    )?;

    let non_root = context.run_as_non_root == Some(true);
    let has_seccomp = context.seccomp_profile.is_some();
    let mut containers = pod.containers.iter().chain(pod.init_containers.iter().flatten());
    containers.try_for_each(|one| {
        container(one, non_root, has_seccomp).map_err(|what| format!("container {}: {what}", one.name))
    })
}

/// `non_root` and `has_seccomp`: whether the pod sets them for all its containers.
fn container(container: &Container, non_root: bool, has_seccomp: bool) -> Check {
    let context = container.security_context.clone().unwrap_or_default();
    let SecurityContext {
        privileged,
        allow_privilege_escalation,
        run_as_non_root,
        run_as_user,
        ..
    } = context;
    require(privileged != Some(true), || "privileged is true".to_owned())?;
    require(allow_privilege_escalation == Some(false), || {
        "allowPrivilegeEscalation is not false".to_owned()
    })?;
    require(run_as_non_root.unwrap_or(non_root), || {
        "runAsNonRoot is not true".to_owned()
    })?;
    require(run_as_user != Some(0), || "runAsUser is 0".to_owned())?;
    seccomp(context.seccomp_profile.as_ref(), has_seccomp)?;
    confined(
        context.app_armor_profile.as_ref(),
        context.se_linux_options.as_ref(),
        context.windows_options.as_ref(),
    )?;
    let proc_mount = context.proc_mount.as_deref();
    require(proc_mount.is_none_or(|mount| mount == "Default"), || {
        "procMount is not Default".to_owned()
    })?;
    let capabilities = context.capabilities.unwrap_or_default();
    let dropped = capabilities.drop.iter().flatten().any(|name| name == "ALL");
    require(dropped, || "capabilities.drop does not include ALL".to_owned())?;
    let added = capabilities
        .add
        .iter()
        .flatten()
        .find(|name| *name != "NET_BIND_SERVICE");
    require(added.is_none(), || {
        format!("capabilities.add has {}", added.map_or("", |name| name))
    })?;
    let host_port = container
        .ports
        .iter()
        .flatten()
        .find_map(|port| port.host_port)
        .unwrap_or(0);
    require(host_port == 0, || format!("hostPort is {host_port}"))?;
    no_other_hosts(container)
}

/// `inherited`: whether the pod has a profile for containers without one. The pod itself needs none.
fn seccomp(profile: Option<&SeccompProfile>, inherited: bool) -> Check {
    let fits = profile.map_or(inherited, |profile| {
        matches!(profile.type_.as_str(), "RuntimeDefault" | "Localhost")
    });
    require(fits, || {
        "seccompProfile is neither RuntimeDefault nor Localhost".to_owned()
    })
}

fn confined(
    app_armor: Option<&AppArmorProfile>,
    se_linux: Option<&SELinuxOptions>,
    windows: Option<&WindowsSecurityContextOptions>,
) -> Check {
    require(
        app_armor.is_none_or(|profile| profile.type_ != "Unconfined"),
        || "appArmorProfile is Unconfined".to_owned(),
    )?;
    let fits = se_linux.is_none_or(|options| {
        options.user.is_none()
            && options.role.is_none()
            && SE_LINUX_TYPES.contains(&options.type_.as_deref().unwrap_or_default())
    });
    require(fits, || {
        "seLinuxOptions are not a container's defaults".to_owned()
    })?;
    require(
        windows.is_none_or(|options| options.host_process != Some(true)),
        || "hostProcess is true".to_owned(),
    )
}

fn sysctl(sysctl: &Sysctl) -> Check {
    require(SYSCTLS.contains(&sysctl.name.as_str()), || {
        format!("sysctl {} affects the node", sysctl.name)
    })
}

fn volume(volume: &Volume) -> Check {
    let allowed = volume.config_map.is_some()
        || volume.csi.is_some()
        || volume.downward_api.is_some()
        || volume.empty_dir.is_some()
        || volume.ephemeral.is_some()
        || volume.persistent_volume_claim.is_some()
        || volume.projected.is_some()
        || volume.secret.is_some()
        || volume.image.is_some();
    // The API server rejects two sources in one volume, but a host path is rejected here too.
    require(allowed && volume.host_path.is_none(), || {
        format!("volume {} has a type with access to the node", volume.name)
    })
}

/// Probes and hooks with a host would let the kubelet call any address.
fn no_other_hosts(container: &Container) -> Check {
    let probes = [
        &container.liveness_probe,
        &container.readiness_probe,
        &container.startup_probe,
    ];
    let lifecycle = container.lifecycle.clone().unwrap_or_default();
    let of_probe = |probe: &Probe| {
        let http = probe.http_get.as_ref().and_then(|http| http.host.clone());
        http.or_else(|| probe.tcp_socket.as_ref().and_then(|tcp| tcp.host.clone()))
    };
    let of_hook = |hook: &LifecycleHandler| {
        let http = hook.http_get.as_ref().and_then(|http| http.host.clone());
        http.or_else(|| hook.tcp_socket.as_ref().and_then(|tcp| tcp.host.clone()))
    };
    let hooks = [lifecycle.post_start, lifecycle.pre_stop];
    let mut hosts = probes
        .into_iter()
        .flatten()
        .filter_map(of_probe)
        .chain(hooks.iter().flatten().filter_map(of_hook));
    match hosts.find(|host| !host.is_empty()) {
        None => Ok(()),
        Some(host) => Err(format!("a probe or hook calls the host {host}")),
    }
}

fn require(holds: bool, what: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(what()) }
}
