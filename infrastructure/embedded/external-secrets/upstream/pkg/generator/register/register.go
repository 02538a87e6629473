// Package register imports the generators that are used here, in place of all.
package register

import (
	// Random values, for secrets that are generated.
	_ "github.com/external-secrets/external-secrets/pkg/generator/password"
)
