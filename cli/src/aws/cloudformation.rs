//! CloudFormation: a stack's outputs and resources, and its deletion.

use std::time::Duration;

use aws_sdk_cloudformation::{
    Client,
    error::ProvideErrorMetadata as _,
    types::{ResourceStatus, StackStatus, TemplateStage},
};
use aws_types::SdkConfig;
use serde_json::Value;

use crate::{
    error::Error,
    report::Progress,
    stack::{Resource, Stack},
};

/// How often a deletion is asked about.
const POLL: Duration = Duration::from_secs(3);

/// Whether there is a stack of this name.
pub(crate) async fn stack_exists(config: &SdkConfig, name: &str) -> Result<bool, Error> {
    match Client::new(config).describe_stacks().stack_name(name).send().await {
        Ok(answer) => Ok(!answer.stacks.unwrap_or_default().is_empty()),
        Err(error) if error.code() == Some("ValidationError") => Ok(false),
        Err(error) => Err(Error::aws("describe the stack", "DescribeStacks")(error)),
    }
}

/// Deletes the stack, and waits until it is gone.
pub(crate) async fn delete_stack(config: &SdkConfig, stack: &Stack, progress: &mut Progress) -> Result<(), Error> {
    let client = Client::new(config);
    // By its id it is still described once it is gone.
    let id = stack.id();
    let deleted = client.delete_stack().stack_name(id).send().await;
    deleted.map_err(Error::aws("delete the stack", "DeleteStack"))?;
    for asked in 1.. {
        let answer = client.describe_stacks().stack_name(id).send().await;
        let answer = answer.map_err(Error::aws("follow the deletion", "DescribeStacks"))?;
        match answer.stacks.unwrap_or_default().into_iter().next().and_then(|stack| stack.stack_status) {
            None | Some(StackStatus::DeleteComplete) => return Ok(()),
            Some(StackStatus::DeleteInProgress) => {}
            Some(status) => {
                let why = format!(
                    "it is {}; aws cloudformation describe-stack-events --stack-name {} says why",
                    status.as_str(),
                    stack.name()
                );
                return Err(Error::failed("delete the stack", why));
            }
        }
        progress.show(asked, None);
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// A resource that could not be created, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailedResource {
    /// Its name in the template.
    pub(crate) logical: String,
    /// In CloudFormation's words.
    pub(crate) reason: String,
}

/// What made the creation of a stack fail. Resources that were given up because of another are not among them.
pub(crate) async fn failed_resources(config: &SdkConfig, stack: &Stack) -> Result<Vec<FailedResource>, Error> {
    let mut events = Client::new(config).describe_stack_events().stack_name(stack.id()).into_paginator().items().send();
    let mut failed = Vec::new();
    while let Some(event) = events.next().await {
        let event = event.map_err(Error::aws("read why the stack was not created", "DescribeStackEvents"))?;
        let (Some(ResourceStatus::CreateFailed), Some(logical), Some(reason)) =
            (event.resource_status, event.logical_resource_id, event.resource_status_reason)
        else {
            continue;
        };
        if !reason.contains("creation cancelled") && logical != stack.name() {
            failed.push(FailedResource { logical, reason });
        }
    }
    failed.reverse(); // the latest came first
    Ok(failed)
}

/// The resources that the deployed template retains when the stack is deleted.
pub(crate) async fn retained_resources(config: &SdkConfig, stack: &Stack) -> Result<Vec<Resource>, Error> {
    let request = Client::new(config).get_template().stack_name(stack.id());
    let answer = request.template_stage(TemplateStage::Processed).send().await;
    let answer = answer.map_err(Error::aws("read the deployed template", "GetTemplate"))?;
    let template = serde_json::from_str(&answer.template_body.unwrap_or_default());
    let template: Value = template.map_err(|_| Error::failed("read the deployed template", "it is not JSON"))?;
    Ok(stack.retained_by(&template))
}

/// The stack of this name.
pub(crate) async fn find_stack(config: &SdkConfig, name: &str) -> Result<Stack, Error> {
    let client = Client::new(config);
    let answer = client.describe_stacks().stack_name(name).send().await;
    let stack = match answer {
        Ok(answer) => answer.stacks.unwrap_or_default().into_iter().next(),
        Err(error) if error.code() == Some("ValidationError") => None,
        Err(error) => return Err(Error::aws("describe the stack", "DescribeStacks")(error)),
    };
    let stack = stack.ok_or_else(|| {
        Error::failed(
            "find the stack",
            format!("no stack {name} in this account and region; check --stack-name, --region and --profile"),
        )
    })?;
    let status = stack.stack_status.map(|status| status.as_str().to_owned()).unwrap_or_default();
    let outputs = stack.outputs.unwrap_or_default();
    let parameters = stack.parameters.unwrap_or_default();
    let mut resources = Vec::new();
    let mut pages = client.list_stack_resources().stack_name(name).into_paginator().items().send();
    while let Some(resource) = pages.next().await {
        let resource = resource.map_err(Error::aws("list the stack's resources", "ListStackResources"))?;
        if let (Some(logical), Some(physical), Some(kind)) =
            (resource.logical_resource_id, resource.physical_resource_id, resource.resource_type)
        {
            resources.push(Resource { logical, physical, kind });
        }
    }
    Ok(Stack::new(
        name.to_owned(),
        stack.stack_id.unwrap_or_default(),
        parameters.into_iter().filter_map(|given| Some((given.parameter_key?, given.parameter_value?))).collect(),
        outputs.into_iter().filter_map(|output| Some((output.output_key?, output.output_value?))).collect(),
        resources,
    )
    .with_status(&status))
}
