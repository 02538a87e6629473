// Command external-secrets runs the External Secrets Operator. It builds the published module with the files in
// `upstream` replaced, which register only those providers and generators that the platform uses.
//
// Release 0.20.4 has a template function that reads any Secret in any namespace with the operator's rights
// (CVE-2026-22822). This command removes the function before it evaluates any template.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/external-secrets/external-secrets/cmd/controller"
	template "github.com/external-secrets/external-secrets/pkg/template/v2"
)

// removed lists template functions that read more than the template's own values.
var removed = []string{"getSecretKey"}

func main() {
	registered := []string{}
	for name := range template.FuncMap() {
		registered = append(registered, name)
	}
	slices.Sort(registered)
	for _, name := range removed {
		// FuncMap returns the map that the template parser uses, not a copy.
		delete(template.FuncMap(), name)
		if _, left := template.FuncMap()[name]; left || !slices.Contains(registered, name) {
			fmt.Fprintf(os.Stderr, "external-secrets: the template function %s cannot be taken out\n", name)
			os.Exit(1)
		}
	}
	// For tests: lists the template functions, and those that are removed.
	if len(os.Args) == 2 && os.Args[1] == "template-functions" {
		_ = json.NewEncoder(os.Stdout).Encode(map[string][]string{"registered": registered, "removed": removed})
		return
	}
	controller.Execute()
}
