package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/crossplane/crossplane-runtime/pkg/resource/unstructured/composed"
	xr "github.com/crossplane/crossplane-runtime/pkg/resource/unstructured/composite"

	fnv1 "github.com/crossplane/crossplane/apis/apiextensions/fn/proto/v1"
	v1 "github.com/crossplane/crossplane/apis/apiextensions/v1"
	"github.com/crossplane/crossplane/internal/controller/apiextensions/composite"
)

// again is the longest time until Crossplane calls again.
const again = time.Minute

type function struct {
	fnv1.UnimplementedFunctionRunnerServiceServer
}

// RunFunction adds the input's resources to the desired resources of earlier functions.
func (function) RunFunction(ctx context.Context, request *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
	response := &fnv1.RunFunctionResponse{
		Meta:    &fnv1.ResponseMeta{Tag: request.GetMeta().GetTag(), Ttl: durationpb.New(again)},
		Desired: &fnv1.State{},
		Context: request.GetContext(),
	}
	if desired := request.GetDesired(); desired != nil {
		response.Desired = proto.Clone(desired).(*fnv1.State)
	}
	if err := compose(ctx, request, response); err != nil {
		result(response, fnv1.Severity_SEVERITY_FATAL, err)
	}
	return response, nil
}

func compose(ctx context.Context, request *fnv1.RunFunctionRequest, response *fnv1.RunFunctionResponse) error {
	templates, err := readInput(request.GetInput())
	if err != nil {
		return fmt.Errorf("the input is no pt.fn.crossplane.io Resources: %w", err)
	}
	observed := xr.New()
	if err := toObject(request.GetObserved().GetComposite().GetResource(), &observed.Object); err != nil {
		return fmt.Errorf("reading the observed composite resource: %w", err)
	}
	desired := response.GetDesired()
	composition := &composing{
		observed:  observed,
		resources: request.GetObserved().GetResources(),
		status:    xr.New(),
		details:   map[string][]byte{},
	}
	if before := desired.GetComposite(); before != nil {
		if err := toObject(before.GetResource(), &composition.status.Object); err != nil {
			return fmt.Errorf("reading the desired composite resource: %w", err)
		}
		composition.details = before.GetConnectionDetails()
	}
	// The patch engine requires a kind.
	composition.status.SetAPIVersion(observed.GetAPIVersion())
	composition.status.SetKind(observed.GetKind())
	if desired.Resources == nil {
		desired.Resources = map[string]*fnv1.Resource{}
	}
	for _, template := range templates {
		rendered, err := composition.render(ctx, template)
		if rendered != nil {
			desired.Resources[*template.Name] = rendered
		}
		if err == nil {
			continue
		}
		err = fmt.Errorf("resource %s: %w", *template.Name, err)
		// An existing resource would be deleted if it were no longer desired.
		if _, exists := composition.resources[*template.Name]; exists && rendered == nil {
			return err
		}
		result(response, fnv1.Severity_SEVERITY_WARNING, err)
	}
	// Crossplane uses only the status of a desired composite resource.
	status, err := toStruct(composition.status.Object)
	if err != nil {
		return err
	}
	desired.Composite = &fnv1.Resource{
		Resource:          status,
		ConnectionDetails: composition.details,
		Ready:             desired.GetComposite().GetReady(),
	}
	return nil
}

// composing is the state of rendering one composite resource.
type composing struct {
	observed  *xr.Unstructured
	resources map[string]*fnv1.Resource
	// status is the desired composite resource.
	status  *xr.Unstructured
	details map[string][]byte
}

// render returns the resource if it could be rendered, even if it also returns an error in reporting its status.
func (c *composing) render(ctx context.Context, template v1.ComposedTemplate) (*fnv1.Resource, error) {
	desired := composed.New()
	if err := json.Unmarshal(template.Base.Raw, &desired.Object); err != nil {
		return nil, fmt.Errorf("reading the base: %w", err)
	}
	if err := composite.RenderFromCompositePatches(desired, c.observed, template.Patches); err != nil {
		return nil, err
	}
	content, err := toStruct(desired.Object)
	if err != nil {
		return nil, err
	}
	rendered := &fnv1.Resource{Resource: content, Ready: fnv1.Ready_READY_FALSE}
	observed, exists := c.resources[*template.Name]
	if !exists {
		return rendered, nil
	}
	return rendered, c.report(ctx, template, observed, rendered)
}

// report copies readiness, connection details and status of an existing resource to the composite resource.
func (c *composing) report(ctx context.Context, template v1.ComposedTemplate, observed, rendered *fnv1.Resource) error {
	existing := composed.New()
	if err := toObject(observed.GetResource(), &existing.Object); err != nil {
		return err
	}
	ready, err := composite.IsReady(ctx, existing, composite.ReadinessChecksFromComposedTemplate(&template)...)
	if err != nil {
		return err
	}
	if ready {
		rendered.Ready = fnv1.Ready_READY_TRUE
	}
	wanted := composite.ExtractConfigsFromComposedTemplate(&template)
	details, err := composite.ExtractConnectionDetails(existing, observed.GetConnectionDetails(), wanted...)
	if err != nil {
		return err
	}
	if c.details == nil {
		c.details = map[string][]byte{}
	}
	for name, value := range details {
		c.details[name] = value
	}
	return composite.RenderToCompositePatches(c.status, existing, template.Patches)
}

func result(response *fnv1.RunFunctionResponse, severity fnv1.Severity, err error) {
	response.Results = append(response.Results, &fnv1.Result{Severity: severity, Message: err.Error()})
}
