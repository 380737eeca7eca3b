package server

import "slices"

// processing takes a ProcessingConfiguration, which replaces the one before as a
// whole; only Enabled, where it is not said, is taken over (as AWS was seen to
// do). role is the destination's.
func (o *object) processing(p **Processing, role string) {
	o.within("ProcessingConfiguration", func(o *object) {
		next := &Processing{Enabled: *p != nil && (*p).Enabled}
		set(&next.Enabled, o.flag("Enabled"))
		o.each("Processors", 0, 0, func(o *object) {
			next.Processors = append(next.Processors, o.processor(role))
		})
		*p = next
	})
}

func (o *object) processor(role string) Processor {
	o.need("Type")
	kind := deref(o.oneOf("Type", "Decompression", "Lambda", "RecordDeAggregation", "MetadataExtraction", "AppendDelimiterToRecord", "CloudWatchLogProcessing"), "")
	var parameters []Parameter
	o.each("Parameters", 0, 0, func(o *object) {
		o.need("ParameterName")
		name := deref(o.oneOf("ParameterName", "DataMessageExtraction", "NumberOfRetries", "Delimiter", "RoleArn", "JsonParsingEngine", "SubRecordType",
			"MetadataExtractionQuery", "BufferIntervalInSeconds", "LambdaArn", "BufferSizeInMBs", "CompressionFormat"), "")
		if hasParameter(parameters, name) {
			o.in.fault("Duplicate ProcessorParameter passed to ProcessingConfiguration.")
		}
		parameters = append(parameters, Parameter{name, o.required("ParameterValue", parameterValues)})
	})
	switch kind {
	case "Lambda":
		parameters = o.lambda(parameters, role)
	case "AppendDelimiterToRecord": // AWS was seen to forget its parameters
		parameters = nil
	}
	return Processor{kind, parameters}
}

func hasParameter(list []Parameter, name string) bool {
	return slices.ContainsFunc(list, func(p Parameter) bool { return p.Name == name })
}

// lambda adds the parameters that AWS was seen to add, in its order. They stay as
// they are when the destination's role changes later.
func (o *object) lambda(given []Parameter, role string) []Parameter {
	switch {
	case !hasParameter(given, "LambdaArn"):
		o.in.fault("LambdaArn is required when Lambda processor is used.")
	case hasParameter(given, "BufferSizeInMBs") != hasParameter(given, "BufferIntervalInSeconds"):
		o.in.fault("Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure buffering for lambda processor.")
	}
	var all []Parameter
	for _, p := range []Parameter{{"LambdaArn", ""}, {"NumberOfRetries", "3"}, {"RoleArn", role}, {"BufferSizeInMBs", "1"}, {"BufferIntervalInSeconds", "60"}} {
		i := slices.IndexFunc(given, func(g Parameter) bool { return g.Name == p.Name })
		if i >= 0 {
			p = given[i]
			given = slices.Delete(slices.Clone(given), i, i+1)
		}
		if p.Value != "" {
			all = append(all, p)
		}
	}
	return append(all, given...)
}

// check tells what is wrong with the processors together; nil has none.
func (p *Processing) check() error {
	if p == nil {
		return nil
	}
	if n := len(p.Processors); p.Enabled && (n < 1 || n > 5) {
		return invalid("A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is enabled.")
	}
	lambdas := 0
	for _, each := range p.Processors {
		if each.Type == "Lambda" {
			lambdas++
		}
	}
	if lambdas > 1 {
		return invalid("Cannot have more than 1 Lambda processor.")
	}
	return nil
}
