import * as vscode from 'vscode';

/** A row of a tree. Labels and tooltips may hold text of a trace: both are shown as plain text. */
export interface TreeNode {
  /** Unique in its tree and the same after a refresh, so that what is open stays open. */
  readonly id: string;
  readonly label: string;
  /** In dimmed letters behind the label. */
  readonly description?: string;
  /** Paragraphs. */
  readonly tooltip?: readonly string[];
  readonly icon?: vscode.ThemeIcon;
  readonly command?: vscode.Command;
  /** What the inline buttons of package.json go by. */
  readonly context?: string;
  /** Said instead of label and description where the icon carries a meaning. */
  readonly spoken?: string;
  readonly children?: readonly TreeNode[] | (() => Promise<readonly TreeNode[]>);
  readonly isOpen?: boolean;
  /** For the commands of its buttons. */
  readonly data?: unknown;
}

/** A tree that shows what it is given. */
export class NodeTree implements vscode.TreeDataProvider<TreeNode> {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.changed.event;
  private roots: readonly TreeNode[] = [];

  show(roots: readonly TreeNode[]): void {
    this.roots = roots;
    this.changed.fire();
  }

  getTreeItem(node: TreeNode): vscode.TreeItem {
    const item = new vscode.TreeItem(node.label, stateOf(node));
    item.id = node.id;
    item.accessibilityInformation = { label: node.spoken ?? [node.label, node.description].filter(Boolean).join(', ') };
    if (node.description !== undefined) {
      item.description = node.description;
    }
    if (node.tooltip !== undefined) {
      item.tooltip = plainTooltip(node.tooltip);
    }
    if (node.icon !== undefined) {
      item.iconPath = node.icon;
    }
    if (node.command !== undefined) {
      item.command = node.command;
    }
    if (node.context !== undefined) {
      item.contextValue = node.context;
    }
    return item;
  }

  async getChildren(node?: TreeNode): Promise<TreeNode[]> {
    if (node === undefined) {
      return [...this.roots];
    }
    return [...(typeof node.children === 'function' ? await node.children() : (node.children ?? []))];
  }
}

/** Paragraphs as text: markup in a device's name stays letters. */
export function plainTooltip(paragraphs: readonly string[]): vscode.MarkdownString {
  const tooltip = new vscode.MarkdownString();
  paragraphs.forEach((paragraph, index) => {
    if (0 < index) {
      tooltip.appendMarkdown('\n\n');
    }
    tooltip.appendText(paragraph);
  });
  return tooltip;
}

function stateOf({ children, isOpen }: TreeNode): vscode.TreeItemCollapsibleState {
  if (children === undefined || (Array.isArray(children) && children.length === 0)) {
    return vscode.TreeItemCollapsibleState.None;
  }
  return isOpen === true ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.Collapsed;
}
