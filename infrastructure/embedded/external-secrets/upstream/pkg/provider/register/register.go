// Package register imports only the provider that the platform uses. All 40 would be most of the program.
package register

import (
	// AWS Secrets Manager, which LocalStack emulates.
	_ "github.com/external-secrets/external-secrets/pkg/provider/aws"
)
