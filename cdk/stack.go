package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// stack is the stack while it is built.
type stack struct {
	root awscdk.Stack
	*choices
	values map[string]awscdk.CfnParameter
	fixed  map[string]string // instead of a parameter

	bucket    awss3.Bucket
	logGroup  awslogs.CfnLogGroup
	logStream awslogs.CfnLogStream
	stream    awskinesisfirehose.CfnDeliveryStream
}

func newStack(app constructs.Construct, c *choices) {
	s := &stack{
		root: awscdk.NewStack(app, &c.stackName, &awscdk.StackProps{
			Description: jsii.String("Hydrant: an Amazon Data Firehose delivery stream into S3, with its logs, alarms and dashboard, and a policy for producers."),
			// The other ones deploy by roles that only cdk bootstrap makes, the bootstrapless one too.
			Synthesizer: awscdk.NewLegacyStackSynthesizer(),
		}),
		choices: c,
		values:  map[string]awscdk.CfnParameter{},
		fixed:   map[string]string{},
	}
	s.root.TemplateOptions().SetTemplateFormatVersion(jsii.String("2010-09-09")) // some readers want the only one that there is
	if c.createKey {
		s.fixed["KmsKeyArn"] = s.addKey()
	}
	for _, p := range c.parameters {
		s.parameter(&p)
	}
	s.addBucket()
	s.addLogs()
	s.addStream()
	if c.removeObjects {
		s.addEmptyBucket()
	}
	producer := s.addProducerPolicy()
	s.addAlarms()
	dashboard := s.addDashboard()

	s.output("StreamName", "The delivery stream.", s.stream.Ref())
	s.output("StreamArn", "The delivery stream's ARN.", s.streamArn())
	s.output("BucketName", "The bucket that the stream delivers to.", s.bucket.BucketName())
	s.output("LogGroupName", "Logs of delivery errors.", s.logGroup.Ref())
	s.output("LogStreamName", "The log stream of delivery errors.", s.logStream.Ref())
	s.output("ProducerPolicyArn", "Managed policy of who puts records into the stream.", producer)
	s.output("DashboardName", "CloudWatch dashboard of the stream.", dashboard)
	s.nameByPath()
}

// parameter adds a parameter, and, if it is optional, a condition that it is not none.
func (s *stack) parameter(p *parameter) {
	if _, ok := s.fixed[p.name]; ok {
		return
	}
	if p.fixed {
		if s.fixed[p.name] = fmt.Sprint(p.value); p.value == 0 && p.optional {
			s.fixed[p.name] = ""
		}
		return
	}
	props := &awscdk.CfnParameterProps{
		Description:           &p.description,
		ConstraintDescription: jsii.String("must be " + p.rule),
		Default:               p.value,
	}
	_, isNumber := p.value.(int)
	switch {
	case p.allowed != nil:
		props.Type, props.AllowedValues = jsii.String("Number"), jsii.Strings(strings.Fields(list(p.allowed))...)
		props.Default = fmt.Sprint(p.value) // a string as those are
	case isNumber:
		props.Type, props.MinValue, props.MaxValue = jsii.String("Number"), jsii.Number(p.min), jsii.Number(p.max)
	default:
		props.MaxLength = jsii.Number(p.max)
		if p.min > 0 {
			props.MinLength = jsii.Number(p.min)
		}
		if p.pattern != "" {
			props.AllowedPattern = &p.pattern
		}
	}
	s.values[p.name] = awscdk.NewCfnParameter(s.root, &p.name, props)
	if p.optional {
		none := ""
		if isNumber {
			none = "0"
		}
		awscdk.NewCfnCondition(s.root, jsii.String("Has"+p.name), &awscdk.CfnConditionProps{
			Expression: awscdk.Fn_ConditionNot(awscdk.Fn_ConditionEquals(s.ref(p.name), none)),
		})
	}
}

// ref is the value of a parameter, or what it is fixed at.
func (s *stack) ref(parameter string) *string {
	if fixed, ok := s.fixed[parameter]; ok {
		return &fixed
	}
	return s.values[parameter].ValueAsString()
}

func (s *stack) number(parameter string) *float64 {
	if fixed, ok := s.fixed[parameter]; ok {
		n, _ := strconv.Atoi(fixed) // readContext has made it one
		return jsii.Number(n)
	}
	return s.values[parameter].ValueAsNumber()
}

// ifSet is then if a parameter is not none. Both are as the template
// has them.
func (s *stack) ifSet(parameter string, then, otherwise any) any {
	switch fixed, ok := s.fixed[parameter]; {
	case !ok:
		return awscdk.Fn_ConditionIf(jsii.String("Has"+parameter), then, otherwise)
	case fixed == "":
		return otherwise
	}
	return then
}

// orNone is the value of a parameter, or no property at all if that is none.
func (s *stack) orNone(parameter string) any {
	return s.ifSet(parameter, s.ref(parameter), awscdk.Aws_NO_VALUE())
}

func (s *stack) output(name, description string, value *string) {
	out := awscdk.NewCfnOutput(s.root, jsii.String("Output"+name), &awscdk.CfnOutputProps{Description: &description, Value: value})
	out.OverrideLogicalId(&name)
}

// nameByPath calls each resource by its path, such as BucketPolicy. The CDK adds a hash,
// which keeps names apart in stacks larger than this.
func (s *stack) nameByPath() {
	for _, c := range *s.root.Node().FindAll(constructs.ConstructOrder_PREORDER) {
		resource, ok := c.(awscdk.CfnResource)
		if !ok {
			continue
		}
		_, path, _ := strings.Cut(*resource.Node().Path(), "/")
		path = strings.TrimSuffix(strings.TrimSuffix(path, "/Resource"), "/Default")
		resource.OverrideLogicalId(jsii.String(strings.ReplaceAll(path, "/", "")))
	}
}

// properties is a piece of the template as it stands there.
type properties = map[string]any

// allow is a statement of a policy. The template has policies in full, as the CDK's
// own take no conditions of CloudFormation.
func allow(resource any, actions ...string) properties {
	return properties{"Effect": "Allow", "Action": actions, "Resource": resource}
}

func policy(statements ...any) properties {
	return properties{"Version": "2012-10-17", "Statement": statements}
}

// addRole adds a role that a service takes under a condition, or nil for none.
func (s *stack) addRole(name, service, description string, condition, rights properties) (arn *string) {
	trust := properties{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": properties{"Service": service}}
	if condition != nil {
		trust["Condition"] = condition
	}
	return awsiam.NewCfnRole(s.root, &name, &awsiam.CfnRoleProps{
		Description:              &description,
		AssumeRolePolicyDocument: policy(trust),
		Policies:                 []any{&awsiam.CfnRole_PolicyProperty{PolicyName: &name, PolicyDocument: rights}},
	}).AttrArn()
}

// addProducerPolicy adds what a producer needs: to put, and to ask how to pack.
func (s *stack) addProducerPolicy() (arn *string) {
	return awsiam.NewCfnManagedPolicy(s.root, jsii.String("ProducerPolicy"), &awsiam.CfnManagedPolicyProps{
		Description:    jsii.String("Put records into the delivery stream of a Hydrant stack"),
		PolicyDocument: policy(allow(s.streamArn(), "firehose:PutRecord", "firehose:PutRecordBatch", "firehose:DescribeDeliveryStream")),
	}).Ref()
}
