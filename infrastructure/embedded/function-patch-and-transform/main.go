// Command function-patch-and-transform is a composition function for local clusters. It accepts the input of the
// published function with that name (which is not available as a Go module), and executes it with the patch engine of
// Crossplane 1.20, from which that function was derived. So the same Compositions work here and in a real installation.
// It rejects input that it does not support, such as patches from environments.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	fnv1 "github.com/crossplane/crossplane/apis/apiextensions/fn/proto/v1"
)

func main() {
	address := flag.String("address", "127.0.0.1:9443", "where Crossplane calls the function")
	certs := flag.String("tls-certs-dir", "", "the folder with tls.crt, tls.key and ca.crt")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *address, *certs); err != nil {
		fmt.Fprintln(os.Stderr, "function-patch-and-transform:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, address, certs string) error {
	transport, err := mutualTLS(certs)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.Creds(transport))
	fnv1.RegisterFunctionRunnerServiceServer(server, function{})
	go func() {
		<-ctx.Done()
		server.GracefulStop()
	}()
	fmt.Fprintln(os.Stderr, "function-patch-and-transform: listens on", address)
	return server.Serve(listener)
}

// mutualTLS returns credentials as functions and Crossplane use them in a real installation.
func mutualTLS(certs string) (credentials.TransportCredentials, error) {
	own, err := tls.LoadX509KeyPair(filepath.Join(certs, "tls.crt"), filepath.Join(certs, "tls.key"))
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(filepath.Join(certs, "ca.crt"))
	if err != nil {
		return nil, err
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(authority) {
		return nil, errors.New("ca.crt holds no certificate")
	}
	return credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{own},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    trusted,
		MinVersion:   tls.VersionTLS13,
	}), nil
}
