package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// rule is something that holds for all templates, and how a template is made that it
// does not hold for.
type rule struct {
	name    string
	broken  func(tmpl *template) []string // what is against it
	breakIt func(tmpl *template)          // of the variant "all"
}

// wildcards are the resources that a policy may name with a *, and why.
var wildcards = map[string]string{
	"StreamRole /*":       "Firehose makes up the objects' keys",
	"EmptyBucketRole /*":  "all objects are to be deleted",
	"EmptyBucketRole log": "the log streams of one log group, which Lambda makes up",
	"Key *":               "in a key's policy it is the key",
}

// wildActions are the actions that may have a *, and why.
var wildActions = map[string]string{
	"Key kms:*": "the account's own policies say who uses the key (KMS developer guide, default key policy)",
}

var rules = []rule{
	{
		"policies allow no wildcard of actions", func(tmpl *template) (broken []string) {
			for name, s := range tmpl.allowed() {
				for _, action := range list1(s["Action"]) {
					if a := fmt.Sprint(action); strings.Contains(a, "*") && wildActions[name+" "+a] == "" {
						broken = append(broken, name+" allows "+a)
					}
				}
			}
			return broken
		},
		func(tmpl *template) {
			tmpl.Resources["ProducerPolicy"].Properties["PolicyDocument"].(object)["Statement"].(array)[0].(object)["Action"] = "firehose:Put*"
		},
	},
	{
		"policies allow wildcards of resources for a reason", func(tmpl *template) (broken []string) {
			for name, s := range tmpl.allowed() {
				for _, on := range list1(s["Resource"]) {
					if how := wildcard(on); how != "" && wildcards[name+" "+how] == "" {
						broken = append(broken, name+" is allowed on "+text(on))
					}
				}
			}
			return broken
		},
		func(tmpl *template) {
			tmpl.Resources["StreamRole"].Properties["Policies"].(array)[0].(object)["PolicyDocument"].(object)["Statement"].(array)[0].(object)["Resource"] = "*"
		},
	},
	{
		"Firehose takes its role for this account alone", func(tmpl *template) []string {
			trust := at(tmpl.Resources["StreamRole"].Properties, "AssumeRolePolicyDocument", "Statement")
			if text(trust) != `[{"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":{"Ref":"AWS::AccountId"}}},"Effect":"Allow","Principal":{"Service":"firehose.amazonaws.com"}}]` {
				return []string{text(trust)}
			}
			return nil
		},
		func(tmpl *template) {
			delete(tmpl.Resources["StreamRole"].Properties["AssumeRolePolicyDocument"].(object)["Statement"].(array)[0].(object), "Condition")
		},
	},
	{
		"the key is used through S3 for the bucket alone", func(tmpl *template) (broken []string) {
			for name, s := range tmpl.allowed() {
				if strings.HasPrefix(fmt.Sprint(list1(s["Action"])[0]), "kms:") && name != "Key" {
					via, context := at(s, "Condition", "StringEquals", "kms:ViaService"), at(s, "Condition", "StringLike", "kms:EncryptionContext:aws:s3:arn")
					if via == nil || len(list1(context)) != 2 || !slices.Contains(names(context), "Bucket") {
						broken = append(broken, name+": "+text(s))
					}
				}
			}
			return broken
		},
		func(tmpl *template) {
			statements := tmpl.Resources["StreamRole"].Properties["Policies"].(array)[0].(object)["PolicyDocument"].(object)["Statement"].(array)
			delete(statements[3].(object), "Condition")
		},
	},
	{
		"buckets are encrypted", func(tmpl *template) (broken []string) {
			for name, r := range tmpl.ofType("AWS::S3::Bucket") {
				rule := at(r.Properties, "BucketEncryption", "ServerSideEncryptionConfiguration", 0)
				branches := []any{rule}
				if either, ok := at(rule, "Fn::If").([]any); ok {
					branches = either[1:]
				}
				for _, b := range branches {
					if at(b, "ServerSideEncryptionByDefault", "SSEAlgorithm") == nil {
						broken = append(broken, name)
					}
				}
			}
			return broken
		},
		func(tmpl *template) { delete(tmpl.Resources["Bucket"].Properties, "BucketEncryption") },
	},
	{
		"buckets are closed to the public", func(tmpl *template) (broken []string) {
			for name, r := range tmpl.ofType("AWS::S3::Bucket") {
				for _, block := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
					if at(r.Properties, "PublicAccessBlockConfiguration", block) != true {
						broken = append(broken, name+" has no "+block)
					}
				}
				if at(r.Properties, "OwnershipControls", "Rules", 0, "ObjectOwnership") != "BucketOwnerEnforced" {
					broken = append(broken, name+" does not own its objects")
				}
			}
			return broken
		},
		func(tmpl *template) {
			tmpl.Resources["Bucket"].Properties["PublicAccessBlockConfiguration"].(object)["BlockPublicPolicy"] = false
		},
	},
	{
		"buckets take TLS only", func(tmpl *template) (broken []string) {
			closed := map[string]bool{}
			for _, p := range tmpl.ofType("AWS::S3::BucketPolicy") {
				for _, s := range list1(at(p.Properties, "PolicyDocument", "Statement")) {
					if at(s, "Effect") == "Deny" && at(s, "Action") == "s3:*" && at(s, "Condition", "Bool", "aws:SecureTransport") == "false" && len(list1(at(s, "Resource"))) == 2 {
						closed[fmt.Sprint(at(p.Properties, "Bucket", "Ref"))] = true
					}
				}
			}
			for name := range tmpl.ofType("AWS::S3::Bucket") {
				if !closed[name] {
					broken = append(broken, name)
				}
			}
			return broken
		},
		func(tmpl *template) { delete(tmpl.Resources, "BucketPolicy") },
	},
	{
		"unfinished uploads are removed", func(tmpl *template) (broken []string) {
			for name, r := range tmpl.ofType("AWS::S3::Bucket") {
				if at(r.Properties, "LifecycleConfiguration", "Rules", 0, "AbortIncompleteMultipartUpload", "DaysAfterInitiation") == nil {
					broken = append(broken, name)
				}
			}
			return broken
		},
		func(tmpl *template) { delete(tmpl.Resources["Bucket"].Properties, "LifecycleConfiguration") },
	},
	{
		"logs are kept for a time", func(tmpl *template) (broken []string) {
			for name, r := range tmpl.ofType("AWS::Logs::LogGroup") {
				if r.Properties["RetentionInDays"] == nil {
					broken = append(broken, name)
				}
			}
			return broken
		},
		func(tmpl *template) { delete(tmpl.Resources["EmptyBucketLogGroup"].Properties, "RetentionInDays") },
	},
	{
		"what holds data is deleted with the stack, and says so", func(tmpl *template) (broken []string) {
			for name, r := range tmpl.Resources {
				switch r.Type {
				case "AWS::S3::Bucket", "AWS::Logs::LogGroup", "AWS::KMS::Key", "Custom::EmptyBucket":
					if r.DeletionPolicy != "Delete" || r.UpdateReplacePolicy != "Delete" {
						broken = append(broken, name)
					}
				}
			}
			return broken
		},
		func(tmpl *template) { tmpl.Resources["Bucket"].DeletionPolicy = "Retain" },
	},
	{
		"keys are rotated", func(tmpl *template) (broken []string) {
			for name, r := range tmpl.ofType("AWS::KMS::Key") {
				if r.Properties["EnableKeyRotation"] != true {
					broken = append(broken, name)
				}
			}
			return broken
		},
		func(tmpl *template) { delete(tmpl.Resources["Key"].Properties, "EnableKeyRotation") },
	},
	{
		"the stream tells of delivery errors, and compresses", func(tmpl *template) (broken []string) {
			s3 := tmpl.Resources["DeliveryStream"].Properties["ExtendedS3DestinationConfiguration"]
			if text(at(s3, "CloudWatchLoggingOptions")) != `{"Enabled":true,"LogGroupName":{"Ref":"LogGroup"},"LogStreamName":{"Ref":"LogStream"}}` {
				broken = append(broken, "CloudWatchLoggingOptions")
			}
			if at(s3, "CompressionFormat") != "GZIP" {
				broken = append(broken, "CompressionFormat")
			}
			return broken
		},
		func(tmpl *template) {
			delete(tmpl.Resources["DeliveryStream"].Properties["ExtendedS3DestinationConfiguration"].(object), "CloudWatchLoggingOptions")
		},
	},
	{
		"alarms know what no data means, whom to tell, and what to do", func(tmpl *template) (broken []string) {
			for name, r := range tmpl.ofType("AWS::CloudWatch::Alarm") {
				tells := text(r.Properties["AlarmActions"])
				if tells != `{"Fn::If":["HasAlarmTopicArn",[{"Ref":"AlarmTopicArn"}],{"Ref":"AWS::NoValue"}]}` && tells != `["arn:aws:sns:eu-west-1:123456789012:t"]` {
					broken = append(broken, name+" tells "+tells)
				}
				if r.Properties["TreatMissingData"] != "notBreaching" || r.Properties["AlarmDescription"] == nil {
					broken = append(broken, name)
				}
			}
			return broken
		},
		func(tmpl *template) { delete(tmpl.Resources["ThrottleAlarm"].Properties, "TreatMissingData") },
	},
	{
		"parameters and conditions are used", func(tmpl *template) (broken []string) {
			used := names(mapOf(tmpl.Conditions))
			for name, r := range tmpl.Resources {
				used = append(append(used, names(r.Properties)...), r.Condition, name)
			}
			for _, name := range append(slices.Collect(maps.Keys(tmpl.Parameters)), slices.Collect(maps.Keys(tmpl.Conditions))...) {
				if !slices.Contains(used, name) {
					broken = append(broken, name)
				}
			}
			return broken
		},
		func(tmpl *template) { tmpl.Parameters["Unused"] = object{} },
	},
	{
		"parameters say what they are and what they must be", func(tmpl *template) (broken []string) {
			for name, p := range tmpl.Parameters {
				if p["Description"] == nil || p["ConstraintDescription"] == nil || p["Default"] == nil || p["Type"] == nil {
					broken = append(broken, name)
				}
			}
			return broken
		},
		func(tmpl *template) { delete(tmpl.Parameters["Prefix"], "Description") },
	},
	{
		// CloudFormation does not say what it makes of it, and cfn-lint calls it an error.
		"nothing depends on what may not be there", func(tmpl *template) (broken []string) {
			for name := range tmpl.Resources {
				for _, need := range tmpl.needs(name) {
					if tmpl.Resources[need].Condition != "" {
						broken = append(broken, name+" needs "+need)
					}
				}
			}
			return broken
		},
		func(tmpl *template) { tmpl.Resources["EmptyBucket"].Condition = "HasStreamName" },
	},
	{
		"cdk bootstrap is not needed, and nothing is reported", func(tmpl *template) (broken []string) {
			if tmpl.Parameters["BootstrapVersion"] != nil || tmpl.Rules != nil || len(tmpl.ofType("AWS::CDK::Metadata")) > 0 {
				return []string{"parameter BootstrapVersion, a rule, or AWS::CDK::Metadata"}
			}
			return nil
		},
		func(tmpl *template) { tmpl.Rules = object{"CheckBootstrapVersion": object{}} },
	},
	{
		"the template says what it is", func(tmpl *template) []string {
			if tmpl.Description == "" || len(tmpl.Description) > 1024 || tmpl.AWSTemplateFormatVersion != "2010-09-09" {
				return []string{"Description or AWSTemplateFormatVersion"}
			}
			return nil
		},
		func(tmpl *template) { tmpl.Description = "" },
	},
	{
		"inline code is short", func(tmpl *template) (broken []string) {
			for name, r := range tmpl.ofType("AWS::Lambda::Function") {
				code, _ := at(r.Properties, "Code", "ZipFile").(string)
				// CloudFormation gives it the module cfnresponse only for this very line.
				if len(code) > 4096 || !strings.Contains(code, "\nimport cfnresponse\n") {
					broken = append(broken, fmt.Sprintf("%s: %d characters", name, len(code)))
				}
			}
			return broken
		},
		func(tmpl *template) { tmpl.Resources["EmptyBucketFunction"].Properties["Code"] = object{"ZipFile": ""} },
	},
}

func TestRules(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			eachVariant(t, func(t *testing.T, tmpl *template) {
				for _, what := range r.broken(tmpl) {
					t.Error(what)
				}
			})
			t.Run("broken", func(t *testing.T) {
				tmpl := parse(t, synthesise(t, "all"))
				if r.breakIt(tmpl); r.broken(tmpl) == nil {
					t.Error("the rule finds nothing in a template that is against it")
				}
			})
		})
	}
}

// TestSize has templates that CloudFormation takes in the call: larger ones would need
// a bucket first (CloudFormation quotas: 51,200 bytes).
func TestSize(t *testing.T) {
	for name := range variants {
		if n := len(synthesise(t, name)); n > 51200 {
			t.Errorf("%s has %d bytes", name, n)
		}
	}
}

// allowed is the statements that allow something, by the resource whose policy it is.
func (tmpl *template) allowed() func(yield func(string, object) bool) {
	return func(yield func(string, object) bool) {
		for name, r := range tmpl.Resources {
			documents := []any{r.Properties["PolicyDocument"], r.Properties["KeyPolicy"]}
			for _, p := range list1(r.Properties["Policies"]) {
				documents = append(documents, at(p, "PolicyDocument"))
			}
			for _, d := range documents {
				for _, s := range list1(at(d, "Statement")) {
					if then := at(s, "Fn::If", 1); then != nil {
						s = then
					}
					if statement, ok := s.(object); ok && statement["Effect"] == "Allow" && !yield(name, statement) {
						return
					}
				}
			}
		}
	}
}

// wildcard is how a resource has a * in it, or empty.
func wildcard(resource any) string {
	switch s := text(resource); {
	case strings.Contains(s, `"Fn::GetAtt":["`) && strings.Contains(s, `LogGroup","Arn"]`):
		return "log" // it ends in :* (CloudFormation's reference of AWS::Logs::LogGroup)
	case s == `"*"`:
		return "*"
	case strings.Contains(s, "/*"):
		return "/*"
	case strings.Contains(s, "*"):
		return s
	}
	return ""
}

// list1 is a list, or the one value that may stand for it.
func list1(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

func mapOf(m map[string]any) any { return m }
