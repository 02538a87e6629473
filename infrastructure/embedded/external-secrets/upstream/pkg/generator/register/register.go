// Package register imports only those generators that the platform uses.
package register

import (
	// Random values for generated secrets.
	_ "github.com/external-secrets/external-secrets/pkg/generator/password"
)
