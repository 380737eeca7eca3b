package hydrant

import (
	"math"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

// A pack must never reach somebody who takes it for one record.
func TestPackFor(t *testing.T) {
	processor := func(kind types.ProcessorType, params ...string) types.Processor {
		p := types.Processor{Type: kind}
		for i := 0; i < len(params); i += 2 {
			p.Parameters = append(p.Parameters, types.ProcessorParameter{
				ParameterName: types.ProcessorParameterName(params[i]), ParameterValue: &params[i+1],
			})
		}
		return p
	}
	split := processor(types.ProcessorTypeRecordDeAggregation, "SubRecordType", "JSON")
	for _, tt := range []struct {
		name       string
		processors []types.Processor
		disabled   bool
		convert    bool
		want       int
	}{
		{name: "plain", want: math.MaxInt},
		{name: "Lambda", processors: []types.Processor{processor(types.ProcessorTypeLambda)}, want: 1},
		{name: "Lambda, switched off", processors: []types.Processor{processor(types.ProcessorTypeLambda)}, disabled: true, want: math.MaxInt},
		{name: "append delimiter", processors: []types.Processor{processor(types.ProcessorTypeAppendDelimiterToRecord)}, want: 1},
		{name: "partitioning of whole records", processors: []types.Processor{processor(types.ProcessorTypeMetadataExtraction)}, want: 1},
		{name: "JSON", processors: []types.Processor{split, processor(types.ProcessorTypeMetadataExtraction), processor(types.ProcessorTypeAppendDelimiterToRecord)}, want: 500},
		{name: "JSON, then Lambda", processors: []types.Processor{split, processor(types.ProcessorTypeLambda)}, want: 1},
		{name: "our delimiter", processors: []types.Processor{processor(types.ProcessorTypeRecordDeAggregation, "SubRecordType", "DELIMITED", "Delimiter", "Cg==")}, want: 500},
		{name: "another delimiter", processors: []types.Processor{processor(types.ProcessorTypeRecordDeAggregation, "SubRecordType", "DELIMITED", "Delimiter", "IyMjIw==")}, want: 1},
		{name: "decompression", processors: []types.Processor{processor(types.ProcessorTypeDecompression)}, want: 1},
		{name: "conversion", convert: true, want: 1},
	} {
		s3 := &types.ExtendedS3DestinationDescription{
			DataFormatConversionConfiguration: &types.DataFormatConversionConfiguration{Enabled: aws.Bool(tt.convert)},
			ProcessingConfiguration:           &types.ProcessingConfiguration{Enabled: aws.Bool(len(tt.processors) > 0 && !tt.disabled), Processors: tt.processors},
		}
		got, why := AutoPacking(&types.DeliveryStreamDescription{Destinations: []types.DestinationDescription{{ExtendedS3DestinationDescription: s3}}}, "\n")
		if got != tt.want {
			t.Errorf("%s: %d records in a pack, as %s; want %d", tt.name, got, why, tt.want)
		}
	}
	for name, d := range map[string]types.DestinationDescription{
		"HTTP":   {HttpEndpointDestinationDescription: &types.HttpEndpointDestinationDescription{}},
		"Splunk": {SplunkDestinationDescription: &types.SplunkDestinationDescription{}},
	} {
		if got, _ := AutoPacking(&types.DeliveryStreamDescription{Destinations: []types.DestinationDescription{d}}, "\n"); got != 1 {
			t.Errorf("%s: %d records in a pack", name, got)
		}
	}
	if got, _ := AutoPacking(&types.DeliveryStreamDescription{}, "\n"); got != 1 {
		t.Errorf("no destination: %d records in a pack", got)
	}
}
