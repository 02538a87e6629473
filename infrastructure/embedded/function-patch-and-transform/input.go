package main

import (
	"bytes"
	strict "encoding/json"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/util/json"

	v1 "github.com/crossplane/crossplane/apis/apiextensions/v1"
	"github.com/crossplane/crossplane/internal/controller/apiextensions/composite"
)

// input is the input of a Composition's step. Its resources have the form of those in a Composition without functions.
type input struct {
	APIVersion string                `json:"apiVersion"`
	Kind       string                `json:"kind"`
	Metadata   map[string]any        `json:"metadata,omitempty"`
	PatchSets  []v1.PatchSet         `json:"patchSets,omitempty"`
	Resources  []v1.ComposedTemplate `json:"resources"`
}

// readInput parses the resources, and replaces references to patch sets by their patches.
func readInput(content *structpb.Struct) ([]v1.ComposedTemplate, error) {
	raw := content.AsMap()
	for _, set := range list(raw["patchSets"]) {
		if err := mergePolicies(set); err != nil {
			return nil, err
		}
	}
	for _, resource := range list(raw["resources"]) {
		if err := mergePolicies(resource); err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(raw)
	if err != nil {
		return nil, err
	}
	// Strict, because unknown fields would otherwise be dropped silently.
	decoder := strict.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	read := input{}
	if err := decoder.Decode(&read); err != nil {
		return nil, err
	}
	if read.Kind != "Resources" {
		return nil, fmt.Errorf("its kind is %q", read.Kind)
	}
	defaultTypes(&read)
	templates, err := composite.ComposedTemplates(read.PatchSets, read.Resources)
	if err != nil {
		return nil, err
	}
	for _, template := range templates {
		if template.Name == nil {
			return nil, errors.New("a resource has no name")
		}
		if template.Base.Raw == nil {
			return nil, fmt.Errorf("resource %s has no base", *template.Name)
		}
	}
	return templates, nil
}

// defaultTypes sets the defaults that the API server sets in a Composition; an input has no schema.
func defaultTypes(read *input) {
	patches := func(patches []v1.Patch) {
		for i := range patches {
			patches[i].Type = patches[i].GetType()
		}
	}
	for _, set := range read.PatchSets {
		patches(set.Patches)
	}
	for _, resource := range read.Resources {
		patches(resource.Patches)
	}
}

// mergePolicies translates the function's merge policies to the merge options of Crossplane 1.20.
func mergePolicies(holder any) error {
	fields, _ := holder.(map[string]any)
	for _, patch := range list(fields["patches"]) {
		patch, _ := patch.(map[string]any)
		policy, _ := patch["policy"].(map[string]any)
		name, set := policy["toFieldPath"]
		if !set {
			continue
		}
		delete(policy, "toFieldPath")
		switch name {
		case "Replace":
		case "MergeObjects":
			policy["mergeOptions"] = map[string]any{"keepMapValues": true}
		case "MergeObjectsAppendArrays":
			policy["mergeOptions"] = map[string]any{"keepMapValues": true, "appendSlice": true}
		case "ForceMergeObjects":
			policy["mergeOptions"] = map[string]any{}
		case "ForceMergeObjectsAppendArrays":
			policy["mergeOptions"] = map[string]any{"appendSlice": true}
		default:
			return fmt.Errorf("toFieldPath policy %v is unknown", name)
		}
	}
	return nil
}

func list(value any) []any {
	items, _ := value.([]any)
	return items
}

// toObject parses integers as such, although a protobuf Struct has only floating-point numbers.
func toObject(content *structpb.Struct, object *map[string]any) error {
	if content == nil {
		return nil
	}
	text, err := protojson.Marshal(content)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, object)
}

func toStruct(object map[string]any) (*structpb.Struct, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	content := &structpb.Struct{}
	return content, protojson.Unmarshal(text, content)
}
