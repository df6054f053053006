// A provider for Terraform that has another provider's schema and no server behind it: what Terraform itself checks
// (names, types, what is required, what a plan makes) is checked as with the real one.
//
// SCHEMA names the file that `terraform providers schema -json` printed, ADDRESS the provider in it.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

type described struct {
	Type       json.RawMessage `json:"type"`
	NestedType *described      `json:"nested_type"`
	Required   bool            `json:"required"`
	Optional   bool            `json:"optional"`
	Computed   bool            `json:"computed"`
	Sensitive  bool            `json:"sensitive"`

	Attributes  map[string]described `json:"attributes"`
	NestingMode string               `json:"nesting_mode"`

	BlockTypes map[string]described `json:"block_types"`
	Block      *described           `json:"block"`
	MinItems   int64                `json:"min_items"`
	MaxItems   int64                `json:"max_items"`
	Version    int64                `json:"version"`
}

type document struct {
	ProviderSchemas map[string]struct {
		Provider  described            `json:"provider"`
		Resources map[string]described `json:"resource_schemas"`
	} `json:"provider_schemas"`
}

var blocks = map[string]tfprotov6.SchemaNestedBlockNestingMode{
	"single": tfprotov6.SchemaNestedBlockNestingModeSingle,
	"list":   tfprotov6.SchemaNestedBlockNestingModeList,
	"set":    tfprotov6.SchemaNestedBlockNestingModeSet,
	"map":    tfprotov6.SchemaNestedBlockNestingModeMap,
	"group":  tfprotov6.SchemaNestedBlockNestingModeGroup,
}

var objects = map[string]tfprotov6.SchemaObjectNestingMode{
	"single": tfprotov6.SchemaObjectNestingModeSingle,
	"list":   tfprotov6.SchemaObjectNestingModeList,
	"set":    tfprotov6.SchemaObjectNestingModeSet,
	"map":    tfprotov6.SchemaObjectNestingModeMap,
}

func attributes(from map[string]described) []*tfprotov6.SchemaAttribute {
	var found []*tfprotov6.SchemaAttribute
	for name, one := range from {
		attribute := &tfprotov6.SchemaAttribute{
			Name: name, Required: one.Required, Optional: one.Optional, Computed: one.Computed, Sensitive: one.Sensitive,
		}
		if one.NestedType != nil {
			mode := objects[one.NestedType.NestingMode]
			attribute.NestedType = &tfprotov6.SchemaObject{Attributes: attributes(one.NestedType.Attributes), Nesting: mode}
		} else {
			kind, err := tftypes.ParseJSONType(one.Type) //nolint:staticcheck // there is no other way
			must(err)
			attribute.Type = kind
		}
		found = append(found, attribute)
	}
	return found
}

func block(from *described) *tfprotov6.SchemaBlock {
	made := &tfprotov6.SchemaBlock{}
	if from == nil {
		return made
	}
	made.Attributes = attributes(from.Attributes)
	for name, one := range from.BlockTypes {
		made.BlockTypes = append(made.BlockTypes, &tfprotov6.SchemaNestedBlock{
			TypeName: name, Block: block(one.Block), Nesting: blocks[one.NestingMode],
			MinItems: one.MinItems, MaxItems: one.MaxItems,
		})
	}
	return made
}

// A server answers what `validate` and `plan` ask for; whatever else is asked ends it.
type server struct {
	tfprotov6.ProviderServer
	provider  *tfprotov6.Schema
	resources map[string]*tfprotov6.Schema
}

func (s *server) GetMetadata(context.Context, *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	answer := &tfprotov6.GetMetadataResponse{ServerCapabilities: &tfprotov6.ServerCapabilities{GetProviderSchemaOptional: false}}
	for name := range s.resources {
		answer.Resources = append(answer.Resources, tfprotov6.ResourceMetadata{TypeName: name})
	}
	return answer, nil
}

func (s *server) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return &tfprotov6.GetProviderSchemaResponse{Provider: s.provider, ResourceSchemas: s.resources}, nil
}

func (s *server) GetResourceIdentitySchemas(context.Context, *tfprotov6.GetResourceIdentitySchemasRequest) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov6.GetResourceIdentitySchemasResponse{}, nil
}

func (s *server) ValidateProviderConfig(_ context.Context, asked *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: asked.Config}, nil
}

func (s *server) ConfigureProvider(context.Context, *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	return &tfprotov6.ConfigureProviderResponse{}, nil
}

func (s *server) ValidateResourceConfig(context.Context, *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return &tfprotov6.ValidateResourceConfigResponse{}, nil
}

func (s *server) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}

// PlanResourceChange leaves what only a server could say unknown.
func (s *server) PlanResourceChange(_ context.Context, asked *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	schema := s.resources[asked.TypeName]
	kind := schema.ValueType()
	proposed, err := asked.ProposedNewState.Unmarshal(kind)
	if err != nil || proposed.IsNull() {
		return &tfprotov6.PlanResourceChangeResponse{PlannedState: asked.ProposedNewState}, err
	}
	values := map[string]tftypes.Value{}
	if err := proposed.As(&values); err != nil {
		return nil, err
	}
	for _, attribute := range schema.Block.Attributes {
		if attribute.Computed && values[attribute.Name].IsNull() {
			values[attribute.Name] = tftypes.NewValue(attribute.Type, tftypes.UnknownValue)
		}
	}
	planned, err := tfprotov6.NewDynamicValue(kind, tftypes.NewValue(kind, values))
	return &tfprotov6.PlanResourceChangeResponse{PlannedState: &planned}, err
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	text, err := os.ReadFile(os.Getenv("SCHEMA"))
	must(err)
	var read document
	must(json.Unmarshal(text, &read))
	address := os.Getenv("ADDRESS")
	described := read.ProviderSchemas[address]
	made := &server{
		provider:  &tfprotov6.Schema{Block: block(described.Provider.Block)},
		resources: map[string]*tfprotov6.Schema{},
	}
	for name, one := range described.Resources {
		made.resources[name] = &tfprotov6.Schema{Version: one.Version, Block: block(one.Block)}
	}
	must(tf6server.Serve(address, func() tfprotov6.ProviderServer { return made }))
}
