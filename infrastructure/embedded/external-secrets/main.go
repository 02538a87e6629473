// Command external-secrets runs the External Secrets Operator of `upstream`, which is its published module with the
// files of that folder in place of its own: it registers no provider and no generator but those that are used.
//
// Release 0.20.4 has a template function that reads any Secret of any namespace with the operator's rights
// (CVE-2026-22822). It is taken out here, before anything can be evaluated.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/external-secrets/external-secrets/cmd/controller"
	template "github.com/external-secrets/external-secrets/pkg/template/v2"
)

// removed are the template functions that reach beyond the values that a template is given.
var removed = []string{"getSecretKey"}

func main() {
	registered := []string{}
	for name := range template.FuncMap() {
		registered = append(registered, name)
	}
	slices.Sort(registered)
	for _, name := range removed {
		// The map itself, not a copy: it is the one that templates are parsed with.
		delete(template.FuncMap(), name)
		if _, left := template.FuncMap()[name]; left || !slices.Contains(registered, name) {
			fmt.Fprintf(os.Stderr, "external-secrets: the template function %s cannot be taken out\n", name)
			os.Exit(1)
		}
	}
	// For tests: which functions the operator's templates would have, and which of them are taken out.
	if len(os.Args) == 2 && os.Args[1] == "template-functions" {
		_ = json.NewEncoder(os.Stdout).Encode(map[string][]string{"registered": registered, "removed": removed})
		return
	}
	controller.Execute()
}
