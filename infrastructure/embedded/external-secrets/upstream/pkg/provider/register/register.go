// Package register imports the providers that are used here, in place of all 40: the others are most of the program.
package register

import (
	// AWS Secrets Manager, which LocalStack imitates.
	_ "github.com/external-secrets/external-secrets/pkg/provider/aws"
)
