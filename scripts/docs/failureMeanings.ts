import type { FailureCode } from "../../src/protocol/failure.ts";

/** What each code of a failure means, in one sentence: a new code without one does not compile. */
export const failureMeanings: Readonly<Record<FailureCode, string>> = {
  "helper.versionMismatch":
    "The helper that runs speaks another version of the contract.",
  "helper.unreachable": "The helper can't be started, or it went away.",
  "helper.pathTooLong":
    "The path of the data folder leaves no room for the name of a socket.",
  "helper.handingOver": "The helper is handing over to a newer one.",
  "host.toolMissing": "A program isn't installed on this computer.",
  "host.toolFailed": "A program on this computer failed.",
  "host.diskFull": "The disk is full, or too little of it would stay free.",
  "host.notSupported": "This computer can't do that.",
  "host.permission": "The system refused access to a file or device.",
  "images.unknown": "There is no image with that name.",
  "images.inUse": "VMs use the image.",
  "images.busy": "Something else is being done with the image.",
  "images.exists": "There is an image with that name already.",
  "images.digestMismatch": "A download isn't what its publisher says it is.",
  "images.downloadFailed": "A download failed.",
  "images.broken": "The image is damaged.",
  "images.invalid": "The disk can't be the image of a VM.",
  "images.buildFailed": "The image couldn't be built.",
  "machines.unknown": "There is no VM with that name.",
  "machines.nameTaken": "There is a VM with that name already.",
  "machines.nameInvalid": "A VM can't have that name.",
  "machines.wrongState": "The VM isn't in the state that this needs.",
  "machines.busy": "Something else is being done with the VM.",
  "machines.badRequest": "A value of the request is out of range.",
  "machines.portTaken": "Another program listens on the port.",
  "machines.startFailed": "QEMU, or what serves it, couldn't start.",
  "machines.notReady": "The VM runs, but its guest wasn't reached in time.",
  "machines.stopFailed": "The VM didn't stop.",
  "machines.seedFailed": "The seed with the VM's identity couldn't be made.",
  "machines.handoffFailed": "A resumed guest couldn't be told who it is.",
  "machines.captureFailed":
    "The VM's memory or disk couldn't be saved or restored.",
  "machines.unsavedWork": "The VM holds work that is nowhere else.",
  "checkpoints.unknown": "The VM has no such checkpoint.",
  "templates.unknown": "There is no such warm template.",
  "templates.failed": "The warm template couldn't be made or used.",
  "workspaces.failed":
    "Files or work couldn't be brought to or from the guest.",
  "workspaces.conflict": "The guest has files where the folder would go.",
  "ssh.connectFailed":
    "The guest's SSH server didn't answer or refused the login.",
  "ssh.hostKeyMismatch":
    "The guest's host key isn't the pinned one: possibly an attack.",
  "ssh.transferFailed": "Copying files over SSH failed.",
  "ssh.configFailed": "The ssh config or a key couldn't be written.",
  "workspaces.configMissing": "The folder has no such devcontainer.json.",
  "workspaces.configAmbiguous":
    "The folder has several devcontainer.json files, and none was chosen.",
  "workspaces.configInvalid": "The devcontainer.json isn't valid.",
  "workspaces.hostPaths":
    "A container wants to see paths of this computer outside of its folder.",
  "workspaces.outsideFolder": "A path leads out of the folder.",
  "workspaces.imageNotSupported":
    "The devcontainer.json names a container, not an image of a VM.",
  "workspaces.notSupported": "Something in the request isn't supported.",
  "workspaces.consentNeeded":
    "Something would run on this computer, or share a folder, and nobody agreed to it yet.",
  "workspaces.unknown": "The folder or branch has no VM.",
  "workspaces.setupFailed": "The folder's VM couldn't be set up.",
  "workspaces.commandFailed": "A command of the devcontainer.json failed.",
  "workspaces.containerFailed":
    "The dev container couldn't be built or started in its VM.",
  "workspaces.initializeFailed":
    "The initializeCommand of the devcontainer.json failed on this computer.",
  "workspaces.featureInvalid": "A feature or the lockfile isn't valid.",
  "workspaces.featureFailed": "A feature couldn't be downloaded or installed.",
  "workspaces.shareFailed": "The folder couldn't be mounted in the guest.",
  "qemu.monitor": "QEMU refused a command, or its monitor is gone.",
  "request.invalid": "The request doesn't fit the contract.",
  "request.cancelled": "Somebody cancelled the request; nothing is shown.",
  "internal.bug": "A bug of Guesthouse.",
};
