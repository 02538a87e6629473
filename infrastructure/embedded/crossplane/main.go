// Command crossplane runs Crossplane's controllers of composite resources and claims, as `crossplane core start` does.
// It does not include the package manager with its clients of registries and clouds, which are half of the program: a
// local cluster has neither packages nor images, and its only function is a separate process.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/crossplane/crossplane-runtime/v2/pkg/certificates"
	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/feature"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/crossplane/crossplane-runtime/v2/pkg/ratelimiter"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource/unstructured"

	"github.com/crossplane/crossplane/v2/apis"
	"github.com/crossplane/crossplane/v2/internal/circuit"
	"github.com/crossplane/crossplane/v2/internal/controller/apiextensions/composition"
	extensions "github.com/crossplane/crossplane/v2/internal/controller/apiextensions/controller"
	"github.com/crossplane/crossplane/v2/internal/controller/apiextensions/definition"
	"github.com/crossplane/crossplane/v2/internal/controller/apiextensions/offered"
	"github.com/crossplane/crossplane/v2/internal/controller/apiextensions/revision"
	"github.com/crossplane/crossplane/v2/internal/engine"
	"github.com/crossplane/crossplane/v2/internal/features"
	"github.com/crossplane/crossplane/v2/internal/xfn"
)

// The defaults of Crossplane's own command.
const (
	syncInterval   = time.Hour
	pollInterval   = time.Minute
	reconcileRate  = 100 // a second; also how many run at a time
	breakerBurst   = 100
	breakerRefill  = 1
	breakerPause   = 5 * time.Minute
	connectionTime = 10 * time.Minute
)

func main() {
	namespace := flag.String("namespace", "crossplane-system", "namespace of Crossplane's own objects")
	account := flag.String("service-account", "crossplane", "ServiceAccount of Crossplane")
	certs := flag.String("tls-client-certs-dir", "", "folder with tls.crt, tls.key and ca.crt, for calls of functions")
	health := flag.String("health-probe-address", "127.0.0.1:8081", "address that serves /readyz")
	metrics := flag.String("metrics-address", "127.0.0.1:8080", "address that serves /metrics")
	flag.Parse() // --kubeconfig is a flag of controller-runtime

	logger := zap.New().WithName("crossplane")
	// Discarded: controller-runtime logs every reconcile, and without a logger it prints a warning.
	ctrl.SetLogger(zap.New(zap.WriteTo(io.Discard)))
	logging.SetFilteredKlogLogger(logger)
	crossplane := crossplane{namespace: *namespace, account: *account, certs: *certs, log: logging.NewLogrLogger(logger)}
	if err := crossplane.run(ctrl.SetupSignalHandler(), *health, *metrics); err != nil {
		fmt.Fprintln(os.Stderr, "crossplane:", err)
		os.Exit(1)
	}
}

type crossplane struct {
	namespace, account, certs string
	log                       logging.Logger
}

func (c crossplane) run(ctx context.Context, health, metrics string) error {
	scheme, err := kinds()
	if err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	// As Crossplane's own command: controller-runtime's default of 20 requests a second would make 300 claims take ten minutes.
	config = ratelimiter.LimitRESTConfig(config, reconcileRate)
	config.WarningHandler = rest.NewWarningWriter(os.Stderr, rest.WarningWriterOptions{Deduplicate: true})
	interval := syncInterval
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                 scheme,
		Cache:                  cache.Options{SyncPeriod: &interval},
		Client:                 client.Options{Cache: &client.CacheOptions{DisableFor: secrets()}},
		Metrics:                metricsserver.Options{BindAddress: metrics},
		HealthProbeBindAddress: health,
	})
	if err != nil {
		return err
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	options, err := c.options(ctx, mgr)
	if err != nil {
		return err
	}
	for _, setup := range []func(ctrl.Manager, extensions.Options) error{
		composition.Setup, revision.Setup, definition.Setup, offered.Setup,
	} {
		if err := setup(mgr, options); err != nil {
			return err
		}
	}
	return mgr.Start(ctx)
}

// kinds returns a scheme of the kinds that the controllers read and write with Go types.
func kinds() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, rbacv1.AddToScheme, extv1.AddToScheme, apis.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

// secrets returns the kind Secret, which is never cached: there may be many, and few are Crossplane's.
func secrets() []client.Object {
	return []client.Object{&corev1.Secret{}}
}

func (c crossplane) options(ctx context.Context, mgr manager.Manager) (extensions.Options, error) {
	reads, err := c.clients(mgr)
	if err != nil {
		return extensions.Options{}, err
	}
	controllers := engine.New(mgr, engine.TrackInformers(reads.cache, mgr.GetScheme()),
		// The cache holds unstructured objects, which this client wraps into Crossplane's types.
		unstructured.NewClient(reads.cached), unstructured.NewClient(reads.direct),
		engine.WithLogger(c.log), engine.WithNamespace(c.namespace), engine.WithServiceAccount(c.account))
	if err := controllers.GarbageCollectCustomResourceInformers(ctx); err != nil {
		return extensions.Options{}, err
	}
	discoverer, err := discovery.NewDiscoveryClientForConfig(mgr.GetConfig())
	if err != nil {
		return extensions.Options{}, err
	}
	schemas := xfn.NewCachedOpenAPIClient(memory.NewMemCacheClient(discoverer))
	if err := schemas.InvalidateOnCRDChanges(ctx, reads.cache); err != nil {
		return extensions.Options{}, err
	}
	functions, err := c.functions(ctx, mgr)
	if err != nil {
		return extensions.Options{}, err
	}
	enabled := &feature.Flags{}
	// The features of these controllers that Crossplane enables by default.
	enabled.Enable(features.EnableBetaRealtimeCompositions)
	enabled.Enable(features.EnableBetaClaimSSA)
	return extensions.Options{
		Options: controller.Options{
			Logger:                  c.log,
			MaxConcurrentReconciles: reconcileRate,
			PollInterval:            pollInterval,
			Features:                enabled,
		},
		ControllerEngine: controllers,
		FunctionRunner: xfn.NewFetchingFunctionRunner(functions,
			xfn.NewExistingRequiredResourcesFetcher(reads.cached), xfn.NewOpenAPIRequiredSchemasFetcher(schemas)),
		OpenAPIClient:            schemas,
		CircuitBreakerMetrics:    circuit.NewPrometheusMetrics(),
		CircuitBreakerBurst:      breakerBurst,
		CircuitBreakerRefillRate: breakerRefill,
		CircuitBreakerCooldown:   breakerPause,
	}, nil
}

// clients are for the controllers of composite resources and claims. They have a separate cache, because the engine must
// know every watch, to stop it together with its controller.
type clients struct {
	cache          cache.Cache
	cached, direct client.Client
}

func (c crossplane) clients(mgr manager.Manager) (clients, error) {
	interval := syncInterval
	objects, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient: mgr.GetHTTPClient(),
		Scheme:     mgr.GetScheme(),
		Mapper:     mgr.GetRESTMapper(),
		SyncPeriod: &interval,
		DefaultWatchErrorHandler: func(_ context.Context, _ *toolscache.Reflector, err error) {
			c.log.Debug("Watch failed. Its CRD may have been deleted.", "error", err)
		},
	})
	if err != nil {
		return clients{}, err
	}
	if err := mgr.Add(objects); err != nil {
		return clients{}, err
	}
	options := client.Options{HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()}
	direct, err := client.New(mgr.GetConfig(), options)
	if err != nil {
		return clients{}, err
	}
	options.Cache = &client.CacheOptions{Reader: objects, DisableFor: secrets(), Unstructured: true}
	cached, err := client.New(mgr.GetConfig(), options)
	return clients{cache: objects, cached: cached, direct: direct}, err
}

// functions calls composition functions at the endpoint in the status of the active FunctionRevision.
func (c crossplane) functions(ctx context.Context, mgr manager.Manager) (xfn.FunctionRunner, error) {
	file := func(name string) string { return filepath.Join(c.certs, name) }
	tls, err := certificates.LoadMTLSConfig(file("ca.crt"), file("tls.crt"), file("tls.key"), false)
	if err != nil {
		return nil, err
	}
	runner := xfn.NewPackagedFunctionRunner(mgr.GetClient(), xfn.WithLogger(c.log), xfn.WithTLSConfig(tls))
	go runner.GarbageCollectConnections(ctx, connectionTime)
	return runner, nil
}
